// Follows the log: brings the newest lines every two seconds while the box is ticked and the page is looked at.
"use strict";
(() => {
  const EVERY_MS = 2000;
  const rows = document.getElementById("rows");
  const follow = document.getElementById("follow");
  const lost = document.getElementById("lost");
  let timer = 0;
  let shown = "";

  const bring = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(rows.dataset.rows, { cache: "no-store" });
        // A search that found others under way is tried again; what is wrong with the question is shown.
        if (!answer.ok && answer.status !== 400) throw new Error(answer.statusText);
        const text = await answer.text();
        if (text !== shown && follow.checked) {
          // The server has escaped what devices say.
          rows.innerHTML = text;
          shown = text;
        }
        lost.hidden = true;
      } catch {
        lost.hidden = false;
      }
    }
    if (follow.checked) timer = setTimeout(bring, EVERY_MS);
  };
  follow.addEventListener("change", () => {
    clearTimeout(timer);
    lost.hidden = true;
    if (follow.checked) bring();
  });
  // A browser that comes back to the page keeps the tick.
  if (follow.checked) bring();
})();
