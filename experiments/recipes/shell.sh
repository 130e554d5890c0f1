# usage: shell.sh LR STEPS    A training in awk, called by the shell: any program that prints text takes part.
awk -v lr="$1" -v steps="$2" 'BEGIN {
    for (step = 1; step <= steps; step++) {
        w -= lr * 2 * (w - 3)
        printf "step %d loss %.4f\n", step, (w - 3) ^ 2
    }
}'
