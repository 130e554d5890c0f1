// Gives the terminal the keyboard as soon as it is there: the page opens ready for keys, without a click.
new MutationObserver((_, observer) => {
  const input = document.querySelector("#terminal textarea");
  if (input) {
    observer.disconnect();
    input.focus();
  }
}).observe(document, { childList: true, subtree: true });
