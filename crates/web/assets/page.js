// Brings the page's figures up to date whenever the server sends new ones; says so when it does not.
"use strict";
(() => {
  const SPOKEN_EVERY_MS = 30000;
  const figures = document.getElementById("figures");
  const lost = document.getElementById("lost");
  const spoken = document.getElementById("spoken");
  let spokenAt = Date.now();

  // Changes only what differs, so that scrolled lists, selections and focus stay where they are.
  const bring = (old, fresh) => {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
      old.replaceWith(fresh.cloneNode(true));
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== fresh.data) {
        old.data = fresh.data;
      }
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name)) {
        old.removeAttribute(name);
      }
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) {
        old.setAttribute(name, value);
      }
    }
    bringChildren(old, fresh);
  };
  const bringChildren = (old, fresh) => {
    const before = [...old.childNodes];
    const after = [...fresh.childNodes];
    after.forEach((node, index) => (index < before.length ? bring(before[index], node) : old.append(node.cloneNode(true))));
    before.slice(after.length).forEach((node) => node.remove());
  };

  // Several changes a second would drown everything else a screen reader has to say.
  const speak = () => {
    const now = Date.now();
    if (now - spokenAt >= SPOKEN_EVERY_MS) {
      spokenAt = now;
      spoken.textContent = document.getElementById("now")?.textContent ?? "";
    }
  };

  // Browsers let a page make sound only after its reader has asked for it.
  const button = document.getElementById("sound");
  let audio = null;
  const loud = () => new Set([...figures.querySelectorAll("[data-loud]")].map((alert) => alert.dataset.alert));
  let known = loud();
  const tone = (hertz, after) => {
    const oscillator = audio.createOscillator();
    const gain = audio.createGain();
    const from = audio.currentTime + after;
    oscillator.frequency.value = hertz;
    gain.gain.setValueAtTime(0.2, from);
    gain.gain.exponentialRampToValueAtTime(0.001, from + 0.35);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(from);
    oscillator.stop(from + 0.4);
  };
  const ring = () => {
    tone(880, 0);
    tone(660, 0.4);
  };
  button.addEventListener("click", () => {
    audio = audio ? (audio.close(), null) : new AudioContext();
    button.setAttribute("aria-pressed", String(audio !== null));
    button.textContent = audio ? button.dataset.on : button.dataset.off;
    // So that the reader hears how loud it will be.
    if (audio) {
      ring();
    }
  });
  const sound = () => {
    const now = loud();
    if (audio && [...now].some((alert) => !known.has(alert))) {
      ring();
    }
    known = now;
  };

  // What to do with an alert. The dialog stands apart from the figures, so that it keeps its alert while they change.
  const dialog = document.getElementById("handling");
  if (dialog) {
    const part = (name) => document.getElementById(`handling-${name}`);
    const failed = part("failed");
    let alert = null;
    part("by").value = localStorage.getItem("hotstage-name") ?? "";
    figures.addEventListener("click", (event) => {
      const opener = event.target.closest("button.handle");
      if (!opener) {
        return;
      }
      alert = { ...opener.dataset };
      const card = opener.closest("li");
      part("what").textContent = card.firstElementChild.textContent;
      part("says").textContent = card.querySelector(".alert-says").textContent;
      for (const option of part("of").options) {
        option.disabled = !alert[option.value];
      }
      part("of").value = [...part("of").options].find((option) => !option.disabled).value;
      failed.textContent = "";
      dialog.showModal();
    });
    const send = async (action) => {
      const by = part("by").value.trim();
      if (!by) {
        failed.textContent = failed.dataset.name;
        part("by").focus();
        return;
      }
      localStorage.setItem("hotstage-name", by);
      try {
        const answer = await fetch("/alerts/handle", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(action(by)),
        });
        if (answer.ok) {
          dialog.close();
          return;
        }
        failed.textContent = answer.status === 401 ? failed.dataset.key : `${failed.dataset.failed}: ${await answer.text()}`;
      } catch {
        failed.textContent = failed.dataset.failed;
      }
    };
    part("take").addEventListener("click", () => send((by) => ({ take: { id: Number(alert.id), by } })));
    part("silence").addEventListener("click", () =>
      send((by) => {
        const of = part("of").value;
        return { silence: { [of]: alert[of], seconds: Number(part("time").value), by } };
      }),
    );
    part("close").addEventListener("click", () => dialog.close());
  }

  // The browser connects again by itself; a page that went to sleep (a locked phone) begins anew.
  const connect = () => {
    const stream = new EventSource(document.body.dataset.events);
    stream.onmessage = (event) => {
      const fresh = document.createElement("template");
      fresh.innerHTML = event.data;
      // The server writes its first line where the page has a line end.
      fresh.content.prepend("\n");
      fresh.content.append("\n");
      bringChildren(figures, fresh.content);
      lost.hidden = true;
      speak();
      sound();
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
