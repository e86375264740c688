// A pad to draw on. It sends its ink to Python, which answers with what it reads.

const SCALE = 2; // pixels of the pad for each one that is sent
const PEN = 1 / 12; // width of the pen, in sides of the pad: the digits of MNIST were written with about that
const STEP = 1 / 28; // how far an arrow key moves the pen
const PAUSE = 60; // milliseconds from one drawing sent to the next
const REST = 400; // milliseconds without a new answer, after which it is read out
const INK = [34, 34, 34];
const SEEN = "What the program sees: 28\u00a0×\u00a028\u00a0grey levels";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const HELP =
  "Draw with the mouse or a finger. With the keyboard: arrow keys move the pen, " +
  "Space lowers or lifts it, Delete clears the pad.";

function make(tag, name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.className = `drawpad-${name}`;
  element.append(...children);
  return element;
}

function hidden(element) {
  element.setAttribute("aria-hidden", "true");
  return element;
}

// Paint bytes, 0 for paper and 255 for ink, on a canvas of their size.
function paint(canvas, bytes) {
  const image = new ImageData(canvas.width, canvas.height);
  for (let i = 0; i < bytes.byteLength; i++) image.data.set([...INK, bytes.getUint8(i)], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// What Python answers, beside the pad: the picture that is read, a bar for each class, a sentence.
function answers(model) {
  const picture = make("canvas", "picture", { width: 28, height: 28 });
  const seen = hidden(make("div", "seen", {}, picture, SEEN));
  const bars = hidden(make("div", "bars"));
  const sentence = make("p", "sentence");
  sentence.setAttribute("role", "status");
  let rest;

  function say(text, delay = 0) {
    clearTimeout(rest);
    rest = setTimeout(() => (sentence.textContent = text), delay);
  }

  function show(delay = REST) {
    const answer = model.get("answer");
    const most = Math.max(...answer.probabilities);
    const row = (share, label) => {
      const bar = make("div", "bar");
      bar.style.width = `${100 * share}%`;
      const parts = [`${label}`, make("div", "track", {}, bar), `${Math.round(100 * share)} %`];
      return make("div", share > 0 && share === most ? "row drawpad-first" : "row", {}, ...parts);
    };
    paint(picture, answer.picture);
    bars.replaceChildren(...answer.probabilities.map(row));
    say(answer.sentence, delay);
  }

  return { seen, bars, sentence, say, show };
}

function render({ model, el }) {
  const side = model.get("side");
  const square = (size) => make("canvas", "pad", { width: size, height: size });
  const [pad, small] = [SCALE * side, side].map(square);
  const pen = hidden(make("div", "pen"));
  const clear = make("button", "clear", { type: "button", textContent: "Clear" });
  const help = make("p", "help", { textContent: HELP });
  const { seen, bars, sentence, say, show } = answers(model);
  const line = pad.getContext("2d");
  const reduced = small.getContext("2d", { willReadFrequently: true });
  const held = new Set(); // arrow keys
  let at = [0.5, 0.5]; // where the pen is, in sides of the pad
  let down = false;
  let pointer = null; // the mouse button or finger that draws
  let waiting = null; // a drawing that is to be sent
  let sent = null;

  function send() {
    waiting ??= setTimeout(() => {
      waiting = null;
      reduced.clearRect(0, 0, side, side);
      reduced.drawImage(pad, 0, 0, side, side);
      const levels = reduced.getImageData(0, 0, side, side).data;
      sent = new DataView(Uint8Array.from({ length: side * side }, (_, i) => levels[4 * i + 3]).buffer);
      model.set("drawing", sent);
      model.save_changes();
    }, PAUSE);
  }

  function load() {
    const bytes = model.get("drawing");
    if (bytes === sent || bytes?.byteLength !== side * side) return;
    paint(small, bytes);
    line.clearRect(0, 0, pad.width, pad.height);
    line.drawImage(small, 0, 0, pad.width, pad.height);
  }

  function moveTo(to) {
    if (down) {
      line.lineWidth = PEN * pad.width;
      line.lineCap = "round";
      line.strokeStyle = `rgb(${INK})`;
      line.beginPath();
      line.moveTo(at[0] * pad.width, at[1] * pad.height);
      line.lineTo(to[0] * pad.width, to[1] * pad.height);
      line.stroke();
      send();
    }
    at = to;
    [pen.style.left, pen.style.top] = at.map((part) => `${100 * part}%`);
  }

  function lower(lowered) {
    down = lowered;
    pen.classList.toggle("drawpad-down", down);
    moveTo(at);
  }

  function wipe() {
    line.clearRect(0, 0, pad.width, pad.height);
    send();
  }

  function place(event) {
    const { left, top, width, height } = pad.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  }

  pad.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    pad.setPointerCapture(pointer);
    lower(false);
    moveTo(place(event));
    lower(true);
  });
  pad.addEventListener("pointermove", (event) => {
    if (event.pointerId === pointer) moveTo(place(event));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    pad.addEventListener(end, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      lower(false);
    });
  }

  pad.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in ARROWS) {
      held.add(event.key);
      const moves = [...held].map((key) => ARROWS[key]);
      const along = (i) => moves.reduce((sum, move) => sum + STEP * move[i], at[i]);
      moveTo([0, 1].map((i) => Math.min(1 - PEN / 2, Math.max(PEN / 2, along(i)))));
    } else if (event.key === " ") {
      if (!event.repeat) lower(!down);
      say(down ? "The pen is down." : "The pen is up.");
    } else if (event.key === "Delete" || event.key === "Backspace") {
      wipe();
    } else {
      return;
    }
    event.preventDefault();
  });
  pad.addEventListener("keyup", (event) => held.delete(event.key));
  pad.addEventListener("blur", () => {
    held.clear();
    if (pointer === null) lower(false);
  });
  clear.addEventListener("click", wipe);

  // A mouse leaves the keys to the notebook. Once they are on the pad, JupyterLab's own commands rest: D twice
  // would delete the cell.
  pad.addEventListener("mousedown", (event) => event.preventDefault());
  pad.dataset.lmSuppressShortcuts = "true";
  pad.tabIndex = 0;
  pad.setAttribute("role", "application");
  pad.setAttribute("aria-label", `Drawing pad. ${HELP}`);
  el.classList.add("drawpad");
  el.append(
    make("div", "paper", {}, pad, pen),
    make("div", "answer", {}, seen, bars),
    make("div", "foot", {}, clear, sentence),
    hidden(help),
  );

  const answered = () => show();
  model.on("change:answer", answered);
  model.on("change:drawing", load);
  load();
  show(0);
  moveTo(at);
  return () => {
    model.off("change:answer", answered);
    model.off("change:drawing", load);
  };
}

export default { render };
