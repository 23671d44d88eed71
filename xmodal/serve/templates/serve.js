// Niceties: light and dark, filters that act at once. Every page works without.
(() => {
  "use strict";
  const all = (query) => [...document.querySelectorAll(query)];
  all("form[data-submit]").forEach((form) => {
    form.addEventListener("change", () => form.requestSubmit());
  });
  // a file of one's own takes the place of a picked picture, and the other way round
  const file = document.querySelector('input[type="file"][name="picture"]');
  const picked = all('input[type="radio"][name="image"]');
  file?.addEventListener("change", () => picked.forEach((one) => { one.checked = false; }));
  picked.forEach((one) => one.addEventListener("change", () => { file.value = ""; }));

  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const kept = sessionStorage.getItem("theme");
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    sessionStorage.setItem("theme", root.dataset.theme);
    name();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();
  all("[hidden][data-scripted]").forEach((one) => { one.hidden = false; });
})();
