// Small behaviour of every page: errors get the focus, passwords can be shown, menus close.
"use strict";
(() => {
  document.querySelector("[data-focus-first]")?.focus();

  for (const box of document.querySelectorAll("[data-secret]")) {
    const input = box.querySelector("input");
    const button = box.querySelector("button");
    if (!input || !button) continue;
    button.hidden = false;
    button.addEventListener("click", () => {
      const shown = input.type === "text";
      input.type = shown ? "password" : "text";
      button.textContent = shown ? "Show" : "Hide";
      button.setAttribute("aria-label", shown ? "Show password" : "Hide password");
    });
    // A shown password must not be kept by the browser as ordinary form text.
    box.closest("form")?.addEventListener("submit", () => { input.type = "password"; });
  }

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent && !form.hasAttribute("hx-post")) event.preventDefault();
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });

  const menus = () => document.querySelectorAll("details.menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of menus()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of menus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
})();
