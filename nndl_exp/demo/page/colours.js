// Numbers as colours and pictures. Colours are the style sheet's, so that light and dark go along.

const CHANNELS = ["--negative", "--zero", "--positive"];
const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

// The three colours of a scale as [red, green, blue].
export function scale() {
  const style = getComputedStyle(document.documentElement);
  return CHANNELS.map((name) => {
    probe.fillStyle = style.getPropertyValue(name).trim();
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  });
}

// The colour of a number between -1 and 1.
export function mixed([negative, zero, positive], value) {
  const end = value < 0 ? negative : positive;
  const part = Math.min(1, Math.abs(value));
  return zero.map((channel, i) => Math.round(channel + (end[i] - channel) * part));
}

// The largest absolute value, 1 where all are 0: what full colour stands for.
export function largest(values) {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
}

// Numbers, row by row, as a picture of one dot each. `colour` maps a number to [r, g, b].
export function paint(canvas, values, columns, colour) {
  const rows = Math.ceil(values.length / columns);
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  values.forEach((value, i) => image.data.set([...colour(value), 255], 4 * i));
  context.putImageData(image, 0, 0);
}

// From black for 0 to white for 1, as MNIST's pictures are shown.
export function grey(value) {
  const level = Math.round(255 * value);
  return [level, level, level];
}

// Rows and columns of a layer of n neurons: nearly square.
export function columnsOf(n) {
  return Math.ceil(Math.sqrt(n));
}

export function signed(value, digits = 2) {
  return (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);
}

export function plain(value, digits = 3) {
  return (value < 0 ? "−" : "") + Math.abs(value).toFixed(digits);
}
