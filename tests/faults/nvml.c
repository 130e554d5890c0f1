/* A driver with the GPUs that are files of the folder TEST_GPUS, named by their index; each says how many MiB are in use. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST 8
#define LOST 15 /* NVML_ERROR_GPU_IS_LOST */

static int used(unsigned index) {
    char path[4096];
    int mib = -1;
    snprintf(path, sizeof path, "%s/%u", getenv("TEST_GPUS"), index);
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%d", &mib) != 1) mib = 0;
        fclose(file);
    }
    return mib;
}

int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlInit_v2(void) { return 0; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = 0;
    for (unsigned index = 0; index < MOST; index++)
        if (used(index) >= 0) *count = index + 1;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    if (used(index) < 0) return LOST;
    *handle = (void *)(size_t)(index + 1);
    return 0;
}

int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *info) {
    int mib = used((unsigned)(size_t)handle - 1);
    if (mib < 0) return LOST;
    info[0] = 24576ull << 20;
    info[2] = (unsigned long long)mib << 20;
    info[1] = info[0] - info[2];
    return 0;
}

int nvmlDeviceGetName(void *handle, char *name, unsigned length) {
    snprintf(name, length, "Made up");
    return 0;
}

int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned length) {
    snprintf(uuid, length, "GPU-%u", (unsigned)(size_t)handle - 1);
    return 0;
}
