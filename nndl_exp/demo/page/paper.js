// The paper: strokes of a mouse, a finger, a stylus or the keyboard, and what they look like.
//
// What is on the paper is a value, { strokes, example }, which each change replaces: undo goes back
// to the one before. Coordinates are in dots of the drawing that is sent, 0 to side.

const STEP = 4;
const BIG_STEP = 20;
const SHARPER = 2; // dots on the screen for each dot that is sent
const ARROWS = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

export class Paper {
  #canvas;
  #side;
  #before = []; // earlier values of what is on the paper
  #now = { strokes: [], example: null };
  #stroke = null; // the one being drawn
  #pointer = null; // whose it is: a pointer's id, or "keyboard"
  #cursor;
  #held = new Set(); // arrow keys
  #ink; // the drawing as it is sent: white on black

  // `changed` is called after every change, `say` with what a screen reader is to be told.
  constructor(canvas, { side, pen, changed, say }) {
    this.#canvas = canvas;
    this.#side = side;
    this.pen = pen;
    this.changed = changed;
    this.say = say;
    this.#cursor = { x: side / 2, y: side / 2, shown: false };
    canvas.width = canvas.height = SHARPER * side;
    const ink = document.createElement("canvas");
    ink.width = ink.height = side;
    this.#ink = ink.getContext("2d", { willReadFrequently: true });
    this.#listen();
    this.show();
  }

  // The validation image that is shown, with its picture; null where the paper is drawn on.
  get example() {
    return this.#stroke ? null : this.#now.example;
  }

  get isBlank() {
    return !this.#now.example && !this.#now.strokes.length && !this.#stroke;
  }

  // The drawing as side * side bytes, 0 for paper to 255 for ink.
  bytes() {
    this.#ink.fillStyle = "#000";
    this.#ink.fillRect(0, 0, this.#side, this.#side);
    this.#draw(this.#ink, "#fff");
    const { data } = this.#ink.getImageData(0, 0, this.#side, this.#side);
    return Uint8Array.from({ length: this.#side ** 2 }, (_, i) => data[4 * i]);
  }

  clear() {
    this.#stroke = null;
    this.#pointer = null;
    if (!this.isBlank) this.#become({ strokes: [], example: null });
  }

  undo() {
    if (this.#stroke) {
      this.#stroke = this.#pointer = null;
    } else if (this.#before.length) {
      this.#now = this.#before.pop();
    } else {
      this.say("Nothing to undo");
      return;
    }
    this.#update();
  }

  showExample(example) {
    this.#stroke = this.#pointer = null;
    this.#become({ strokes: [], example });
  }

  // Draw all of it again, in the colours of now.
  show() {
    const context = this.#canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    if (this.example) {
      context.imageSmoothingEnabled = false;
      context.drawImage(this.example.picture, 0, 0, this.#canvas.width, this.#canvas.height);
    }
    context.setTransform(SHARPER, 0, 0, SHARPER, 0, 0);
    const colour = getComputedStyle(this.#canvas).color;
    this.#draw(context, colour);
    if (this.#cursor.shown) this.#drawCursor(context, colour);
  }

  #become(value) {
    this.#before.push(this.#now);
    this.#now = value;
    this.#update();
  }

  #update() {
    this.show();
    this.changed();
  }

  #draw(context, colour) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineCap = context.lineJoin = "round";
    for (const { width, points } of [...this.#now.strokes, ...(this.#stroke ? [this.#stroke] : [])]) {
      context.lineWidth = width;
      context.beginPath();
      if (points.length === 1) {
        context.arc(points[0].x, points[0].y, width / 2, 0, 2 * Math.PI);
        context.fill();
        continue;
      }
      context.moveTo(points[0].x, points[0].y);
      points.slice(1, -1).forEach(({ x, y }, i) => {
        // A curve through the middles of the pieces: a fast hand leaves few points.
        context.quadraticCurveTo(x, y, (x + points[i + 2].x) / 2, (y + points[i + 2].y) / 2);
      });
      context.lineTo(points.at(-1).x, points.at(-1).y);
      context.stroke();
    }
  }

  #drawCursor(context, colour) {
    const { x, y } = this.#cursor;
    context.strokeStyle = context.fillStyle = getComputedStyle(this.#canvas).caretColor;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, this.pen / 2 + 3, 0, 2 * Math.PI);
    if (this.#pointer === "keyboard") context.fill();
    context.stroke();
  }

  #start(point, whose) {
    this.#pointer = whose;
    this.#stroke = { width: this.pen, points: [point] };
    this.#update();
  }

  #end() {
    const stroke = this.#stroke;
    this.#stroke = this.#pointer = null;
    // Who draws on a validation image begins a picture of their own.
    if (stroke) this.#become({ strokes: [...this.#now.strokes, stroke], example: null });
  }

  #at(event) {
    const box = this.#canvas.getBoundingClientRect();
    const inside = (value) => Math.min(this.#side, Math.max(0, value));
    return {
      x: inside((event.clientX - box.left) * (this.#side / box.width)),
      y: inside((event.clientY - box.top) * (this.#side / box.height)),
    };
  }

  #listen() {
    const on = (name, act) => this.#canvas.addEventListener(name, act);
    on("pointerdown", (event) => {
      if (event.button !== 0 || (this.#pointer !== null && this.#pointer !== "keyboard")) return;
      this.#end();
      this.#canvas.setPointerCapture(event.pointerId);
      this.#cursor.shown = false;
      this.#start(this.#at(event), event.pointerId);
    });
    on("pointermove", (event) => {
      if (event.pointerId !== this.#pointer) return;
      const passed = event.getCoalescedEvents?.() ?? [];
      for (const one of passed.length ? passed : [event]) this.#stroke.points.push(this.#at(one));
      this.#update();
    });
    for (const name of ["pointerup", "pointercancel"]) {
      on(name, (event) => event.pointerId === this.#pointer && this.#end());
    }
    on("keydown", (event) => this.#key(event));
    on("keyup", (event) => this.#held.delete(event.key));
    on("blur", () => {
      this.#held.clear();
      this.#cursor.shown = false;
      if (this.#pointer === "keyboard") this.#end();
      this.show();
    });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ARROWS) {
      this.#held.add(event.key);
      this.#move(event.shiftKey ? BIG_STEP : STEP);
    } else if (event.key === " ") {
      this.#togglePen();
    } else if (event.key === "Escape" && this.#pointer === "keyboard") {
      this.#togglePen();
    } else if (event.key === "Delete") {
      this.clear();
    } else if (event.key === "Backspace") {
      this.undo();
    } else {
      return;
    }
    event.preventDefault();
  }

  #move(step) {
    const inside = (value) => Math.min(this.#side, Math.max(0, value));
    for (const key of this.#held) {
      this.#cursor.x = inside(this.#cursor.x + step * ARROWS[key][0]);
      this.#cursor.y = inside(this.#cursor.y + step * ARROWS[key][1]);
    }
    this.#cursor.shown = true;
    if (this.#pointer !== "keyboard") return this.show();
    this.#stroke.points.push({ x: this.#cursor.x, y: this.#cursor.y });
    this.#update();
  }

  #togglePen() {
    this.#cursor.shown = true;
    if (this.#pointer === "keyboard") {
      this.#end();
      this.say("Pen lifted");
    } else if (this.#pointer === null) {
      this.#start({ x: this.#cursor.x, y: this.#cursor.y }, "keyboard");
      this.say("Pen down");
    }
  }
}
