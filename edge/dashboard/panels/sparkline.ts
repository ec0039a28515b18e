/** A line of the newest closes on a small canvas. */

export interface SparkStyle {
  up: string;
  down: string;
  base: string;
}

/** Reads the palette of the page as it is now. */
export function sparkStyle(): SparkStyle {
  const style = getComputedStyle(document.documentElement);
  return {
    up: style.getPropertyValue('--up'),
    down: style.getPropertyValue('--down'),
    base: style.getPropertyValue('--line'),
  };
}

/** Draws `closes`, oldest first, over the whole canvas; the colour says whether the last is above the first. */
export function drawSparkline(canvas: HTMLCanvasElement, closes: readonly number[], style: SparkStyle): void {
  const context = canvas.getContext('2d');
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!context || width === 0) return;
  const ratio = Math.min(3, devicePixelRatio || 1);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const [first] = closes;
  const last = closes.at(-1);
  if (first === undefined || last === undefined || closes.length < 2) return;
  const low = Math.min(...closes);
  const span = Math.max(...closes) - low || 1;
  const x = (i: number): number => 1 + (i * (width - 4)) / (closes.length - 1);
  const y = (close: number): number => height - 3 - ((close - low) / span) * (height - 6);

  context.lineWidth = 1;
  context.strokeStyle = style.base;
  context.setLineDash([2, 2]);
  context.beginPath();
  context.moveTo(0, y(first));
  context.lineTo(width, y(first));
  context.stroke();

  const colour = last >= first ? style.up : style.down;
  context.setLineDash([]);
  context.strokeStyle = colour;
  context.lineWidth = 1.25;
  context.lineJoin = 'round';
  context.beginPath();
  closes.forEach((close, i) => (i === 0 ? context.moveTo(x(i), y(close)) : context.lineTo(x(i), y(close))));
  context.stroke();
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x(closes.length - 1), y(last), 1.75, 0, Math.PI * 2);
  context.fill();
}
