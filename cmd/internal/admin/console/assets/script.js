// The pages work without this: it makes them live, and shows TLVs and octets together.
"use strict";

(function live() {
  const parts = document.querySelectorAll("[data-live]");
  const status = document.querySelector(".live");
  const toggle = document.querySelector("[data-live-toggle]");
  const words = document.querySelector("[data-live-state]");
  if (!parts.length || !status || !toggle) return;
  const every = 2000;
  let paused = false;
  const say = (text, cls) => {
    if (words.textContent !== text) words.textContent = text;
    status.classList.toggle("paused", cls === "paused");
    status.classList.toggle("lost", cls === "lost");
  };
  toggle.hidden = false;
  say("live");
  toggle.addEventListener("click", () => {
    paused = !paused;
    toggle.setAttribute("aria-pressed", String(paused));
    toggle.textContent = paused ? "Resume" : "Pause";
    say(paused ? "paused" : "live", paused ? "paused" : "");
  });
  // What is being read with keyboard or mouse selection is not pulled away.
  const busy = (el) => el.contains(document.activeElement) || (!getSelection().isCollapsed && el.contains(getSelection().anchorNode));
  async function refresh() {
    if (!paused && !document.hidden) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
        if (!answer.ok) throw new Error(answer.statusText);
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const old of document.querySelectorAll("[data-live]")) {
          const fresh = page.getElementById(old.id);
          if (fresh && !busy(old) && fresh.innerHTML !== old.innerHTML) old.innerHTML = fresh.innerHTML;
        }
        if (!paused) say("live");
      } catch {
        if (!paused) say("no answer", "lost");
      }
    }
    setTimeout(refresh, every);
  }
  setTimeout(refresh, every);
})();

(function highlight() {
  const tree = document.querySelector(".tree");
  const hex = document.querySelector(".hex");
  if (!tree || !hex) return;
  const scroller = hex.parentElement;
  let on = [];
  function show(n, scroll) {
    for (const el of on) el.classList.remove("on");
    on = n === undefined ? [] : [document.getElementById("t" + n), document.getElementById("b" + n)].filter(Boolean);
    for (const el of on) el.classList.add("on");
    if (scroll && on[1]) {
      const first = on[1].getClientRects()[0], box = scroller.getBoundingClientRect();
      if (first && (first.top < box.top || first.bottom > box.bottom)) scroller.scrollTop += first.top - box.top - box.height / 3;
    }
  }
  const of = (e) => e.target.closest("[data-tlv]")?.dataset.tlv;
  const focused = () => document.activeElement.closest?.(".tree [data-tlv]")?.dataset.tlv;
  tree.addEventListener("mouseover", (e) => show(of(e) ?? focused(), true));
  tree.addEventListener("mouseleave", () => show(focused()));
  tree.addEventListener("focusin", (e) => show(of(e), true));
  tree.addEventListener("focusout", () => show());
  hex.addEventListener("mouseover", (e) => show(of(e) ?? focused()));
  hex.addEventListener("mouseleave", () => show(focused()));
})();
