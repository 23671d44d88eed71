// What the page does beside being read: pictures and charts when they come into view, filters,
// light and dark, printing. No library but the charts' own.
(() => {
  "use strict";
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const json = (id) => JSON.parse(document.getElementById(id)?.textContent || "{}");

  // pictures lie once in the page, however often they are shown
  let pictures = null;
  const fill = (img) => {
    if (!img.dataset.picture) return;
    pictures ??= json("pictures");
    img.src = "data:image/webp;base64," + pictures[img.dataset.picture];
    delete img.dataset.picture;
  };

  const draw = async (box) => {
    if (!box.dataset.chart) return;
    const id = box.dataset.chart;
    delete box.dataset.chart;
    box.textContent = "";
    try {
      await vegaEmbed(box, json(id), { renderer: "svg", actions: false, ast: true });
      // charts are drawn for print, small: larger here, as far as there is room
      const svg = box.querySelector("svg");
      if (svg) svg.style.width = `${1.7 * svg.getAttribute("width")}px`;
    } catch (error) {
      box.textContent = `This chart could not be drawn: ${error.message}`;
    }
  };

  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      target.tagName === "IMG" ? fill(target) : draw(target);
    }
  }, { rootMargin: "400px" });
  all("img[data-picture], [data-chart]").forEach((one) => watcher.observe(one));

  // a link to something inside what is closed opens it
  const reveal = () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { return; }
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let one = target; one; one = one.parentElement) {
      if (one.tagName === "DETAILS") one.open = true;
    }
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  all("[data-open]").forEach((button) => button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    all("details", document.getElementById(button.dataset.open)).forEach((one) => { one.open = open; });
    button.setAttribute("aria-pressed", String(open));
    button.textContent = open ? "Close all" : "Open all";
  }));

  // a filter shows what has the words, with what it lies under and, in a tree, what lies under it
  const filter = (input) => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const items = all("[data-name]", document.getElementById(input.dataset.filter));
    const path = new Set(); // what a hit lies under
    const whole = new Set(); // hits, and what lies under them
    let hits = 0;
    for (const item of items) {
      const name = item.dataset.name.toLowerCase();
      const has = words.every((word) => name.includes(word));
      if (has) hits += 1;
      if (has || whole.has(item.parentElement.closest("[data-name]"))) whole.add(item);
      if (!words.length || !has) continue;
      for (let up = item.parentElement; up; up = up.parentElement) {
        if (up.tagName === "DETAILS") up.open = true;
        if (up.dataset.name !== undefined) path.add(up);
      }
    }
    for (const item of items) item.hidden = !whole.has(item) && !path.has(item);
    const status = document.getElementById(input.dataset.filter + "-found");
    if (status) status.textContent = words.length ? `${hits} found` : "";
  };
  all("input[data-filter]").forEach((input) => {
    input.addEventListener("input", () => filter(input));
    if (input.value) filter(input); // kept by the browser over a reload
  });

  const root = document.documentElement;
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const theme = document.getElementById("theme");
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme?.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();

  // what is open is printed, and every chart
  const ready = () => {
    all("img[data-picture]").filter((one) => one.checkVisibility()).forEach(fill);
    return Promise.all(all("[data-chart]").map(draw));
  };
  addEventListener("beforeprint", ready);
  document.getElementById("print")?.addEventListener("click", async () => {
    await ready();
    print();
  });
  all("[hidden][data-scripted]").forEach((one) => { one.hidden = false; });
})();
