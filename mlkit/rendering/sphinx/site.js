// What scrolls can be reached by keyboard; what the theme leaves unnamed has a name.
document.addEventListener("DOMContentLoaded", () => {
  const boxes = "pre, .output, .table-wrapper, .sidebar-scroll, .toc-scroll, .text_html";
  for (const box of document.querySelectorAll(boxes)) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
  }
  for (const caption of document.querySelectorAll("p.caption[role=heading]")) caption.setAttribute("aria-level", "2");
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "All pages");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
});
