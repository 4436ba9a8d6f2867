// A hidden layer as a grid of its neurons: colour is activation, arrow keys go from one to the next.

import { columnsOf, largest, plain } from "./colours.js";

const MOST = 1024; // cells of a layer; more would be too small to see, and slow

const STEPS = {
  ArrowLeft: () => -1, ArrowRight: () => 1,
  ArrowUp: (columns) => -columns, ArrowDown: (columns) => columns,
};

export class Layer {
  #cells = [];
  #columns;
  #readout;
  #values = [];
  #at = null; // the neuron whose value is read out

  // `chosen` is called with the number of a neuron that was clicked or moved to.
  constructor(parent, { number, size, activation, chosen }) {
    this.activation = activation;
    this.number = number;
    const shown = Math.min(size, MOST);
    this.#columns = columnsOf(shown);
    const section = document.createElement("section");
    section.className = "layer";
    const heading = document.createElement("h2");
    heading.id = `layer-${number}-heading`;
    heading.textContent = `Hidden layer ${number}`;
    section.setAttribute("aria-labelledby", heading.id);
    const kind = document.createElement("p");
    kind.className = "hint";
    kind.textContent = `${size.toLocaleString("en")} ${activation} neurons`;
    if (shown < size) kind.textContent += `; the first ${shown.toLocaleString("en")} are shown`;
    const grid = this.#makeGrid(shown, heading.id, chosen);
    this.#readout = document.createElement("p");
    this.#readout.className = "readout";
    section.append(heading, kind, grid, this.#readout);
    parent.append(section);
    this.#readOut(null);
  }

  // Activations, or none where the network was not asked.
  show(values) {
    this.#values = values;
    const bounded = ["sigmoid", "tanh", "softmax"].includes(this.activation);
    this.top = bounded ? 1 : largest(values);
    this.#cells.forEach((cell, i) => {
      cell.style.setProperty("--part", `${Math.round(Math.min(1, Math.abs(values[i] ?? 0) / this.top) * 1000) / 10}%`);
      cell.classList.toggle("negative", values[i] < 0);
      const said = i in values ? `: ${plain(values[i])}` : "";
      cell.setAttribute("aria-label", `neuron ${i}${said}`);
    });
    this.#readOut(this.#at);
  }

  mark(index) {
    this.#cells.forEach((cell, i) => cell.setAttribute("aria-selected", String(i === index)));
  }

  #makeGrid(n, labelledBy, chosen) {
    const grid = document.createElement("div");
    grid.className = "grid";
    grid.setAttribute("role", "grid");
    grid.setAttribute("aria-labelledby", labelledBy);
    grid.style.setProperty("--columns", this.#columns);
    for (let first = 0; first < n; first += this.#columns) {
      const row = document.createElement("div");
      row.setAttribute("role", "row");
      for (let i = first; i < Math.min(n, first + this.#columns); i++) {
        const cell = document.createElement("div");
        cell.setAttribute("role", "gridcell");
        cell.setAttribute("aria-selected", "false");
        cell.tabIndex = i === 0 ? 0 : -1;
        cell.dataset.neuron = i;
        this.#cells.push(cell);
        row.append(cell);
      }
      grid.append(row);
    }
    this.#listen(grid, chosen);
    return grid;
  }

  #listen(grid, chosen) {
    const of = (event) => {
      const cell = event.target.closest("[role=gridcell]");
      return cell ? Number(cell.dataset.neuron) : null;
    };
    grid.addEventListener("click", (event) => of(event) !== null && this.#go(of(event)));
    grid.addEventListener("focusin", (event) => {
      const index = of(event);
      if (index === null) return;
      this.#cells.forEach((cell, i) => { cell.tabIndex = i === index ? 0 : -1; });
      this.#readOut(index);
      chosen(this.number, index);
    });
    grid.addEventListener("pointerover", (event) => of(event) !== null && this.#readOut(of(event)));
    grid.addEventListener("pointerleave", () => {
      const focused = this.#cells.indexOf(document.activeElement);
      this.#readOut(focused < 0 ? null : focused);
    });
    grid.addEventListener("keydown", (event) => {
      const index = of(event);
      let to = null;
      if (event.key in STEPS) to = index + STEPS[event.key](this.#columns);
      if (event.key === "Home") to = 0;
      if (event.key === "End") to = this.#cells.length - 1;
      if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.#go(to);
    });
  }

  #go(index) {
    this.#cells[index]?.focus();
  }

  #readOut(index) {
    this.#at = index;
    const value = this.#values[index ?? -1];
    const full = this.top === undefined ? "" : `full colour: ${plain(this.top, this.top === 1 ? 0 : 2)}`;
    this.#readout.textContent = value === undefined ? full : `neuron ${index}: activation ${plain(value)}`;
  }
}
