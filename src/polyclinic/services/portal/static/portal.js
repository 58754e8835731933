// A signed-in page watches the clock, so that nobody is signed out without being asked first.
"use strict";
(() => {
  const dialog = document.getElementById("idle");
  const find = document.querySelector("[data-find]");

  // "/" goes to the search box, unless somebody is typing.
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey || !find) return;
    event.preventDefault();
    find.focus();
  });

  // Where tabs do not fit beside each other, the one that is open is in sight.
  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

  if (!dialog) return;
  const warn = Number(dialog.dataset.warn);
  const left = document.getElementById("idle-left");
  const said = document.getElementById("idle-said");
  const form = dialog.querySelector("form");
  const token = form.querySelector("[name=csrf]").value;
  let until = Date.now() + Number(dialog.dataset.seconds) * 1000;
  let timer = 0;
  let spoken = -1;

  const seconds = () => Math.max(0, Math.round((until - Date.now()) / 1000));
  const words = (n) => {
    const m = Math.floor(n / 60), s = n % 60;
    const minutes = m ? m + (m === 1 ? " minute" : " minutes") : "";
    const rest = s || !m ? s + (s === 1 ? " second" : " seconds") : "";
    return [minutes, rest].filter(Boolean).join(" ");
  };
  const leave = () => { window.location.replace("/signed-out?why=idle"); };
  // Another tab may have been busy meanwhile: the server knows, and asking does not count as being there.
  const ask = async () => {
    try {
      const answer = await fetch("/session/left", { headers: { accept: "application/json" } });
      until = Date.now() + (await answer.json()).seconds * 1000;
    } catch { /* Without a network the last known time stands. */ }
  };
  const wait = () => {
    clearTimeout(timer);
    const next = seconds() - warn;
    timer = setTimeout(next > 0 ? wake : tick, next > 0 ? next * 1000 : 1000);
  };
  const wake = async () => {
    await ask();
    if (seconds() > warn) { if (dialog.open) dialog.close(); return wait(); }
    tick();
  };
  const tick = async () => {
    const now = seconds();
    if (now <= 0 || (dialog.open && now % 20 === 0)) {
      await ask();
      if (seconds() > warn) { dialog.close(); return wait(); }
      if (seconds() <= 0) return leave();
    }
    left.textContent = words(seconds());
    // Screen readers hear it each half minute, not each second.
    const step = Math.ceil(seconds() / 30);
    if (step !== spoken) { spoken = step; said.textContent = "Signed out in " + words(step * 30); }
    if (!dialog.open) dialog.showModal();
    timer = setTimeout(tick, 1000);
  };
  const stay = async () => {
    const body = new URLSearchParams({ csrf: token });
    try {
      const answer = await fetch("/session/stay", { method: "POST", body, headers: { accept: "application/json" } });
      if (!answer.ok || answer.redirected) return leave();
      until = Date.now() + (await answer.json()).seconds * 1000;
      dialog.close();
      wait();
    } catch { said.textContent = "The network does not answer. Try again."; }
  };
  form.addEventListener("submit", (event) => {
    if (event.submitter?.getAttribute("formaction")) return;
    event.preventDefault();
    event.stopPropagation();
    delete form.dataset.sent;
    stay();
  });
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); stay(); });
  // A page out of the browser's memory may be older than the session.
  window.addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && seconds() <= warn) wake(); });
  wait();
})();
