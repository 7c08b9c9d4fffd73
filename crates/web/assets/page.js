// Replaces the page's figures whenever the server sends new ones; says so when it does not.
"use strict";
(() => {
  const figures = document.getElementById("figures");
  const lost = document.getElementById("lost");
  // The browser connects again by itself; a page that went to sleep (a locked phone) begins anew.
  const connect = () => {
    const stream = new EventSource(document.body.dataset.events);
    stream.onmessage = (event) => {
      figures.innerHTML = event.data;
      lost.hidden = true;
    };
    stream.onerror = () => {
      lost.hidden = false;
      if (stream.readyState === EventSource.CLOSED) {
        setTimeout(connect, 5000);
      }
    };
  };
  connect();
})();
