// Arrow keys, Page keys, space, Home and End turn the slides; the address keeps the number.
const slides = [...document.querySelectorAll("section")];
let now = 0;
function show(number) {
  now = Math.max(0, Math.min(slides.length - 1, number));
  slides.forEach((slide, place) => slide.classList.toggle("now", place === now));
  history.replaceState(null, "", "#" + (now + 1));
}
function scale() {
  const fitting = Math.min(innerWidth / 1280, innerHeight / 720);
  document.body.style.setProperty("--scale", fitting);
}
// What is too high for its slide is written smaller, down to a half.
for (const body of document.querySelectorAll(".body")) {
  let size = 28;
  while (body.scrollHeight > body.clientHeight + 1 && size > 14) body.style.fontSize = --size + "px";
}
document.body.classList.add("ready");
addEventListener("resize", scale);
addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1 }[event.key];
  if (step) show(now + step);
  else if (event.key === "Home") show(0);
  else if (event.key === "End") show(slides.length - 1);
  else return;
  event.preventDefault();
});
addEventListener("click", (event) => { if (!event.target.closest("a")) show(now + (event.clientX < innerWidth / 3 ? -1 : 1)); });
addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0));
scale();
show(Number(location.hash.slice(1)) - 1 || 0);
