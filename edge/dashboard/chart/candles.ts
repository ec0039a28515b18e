/** lightweight-charts behind the few calls that the chart panel needs. */
import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  CrosshairMode,
  HistogramSeries,
  type CandlestickData,
  type HistogramData,
  type IChartApi,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
  type WhitespaceData,
} from 'lightweight-charts';
import type { ChartBar } from './bar-book.ts';

export interface Candles {
  /** Everything anew: for history, never for a tick. */
  replace(bars: readonly ChartBar[]): void;
  /** One bar: the newest or an older one. */
  update(bar: ChartBar): void;
  /** Marks the bars that were changed after they were final. */
  markRevised(bars: readonly ChartBar[]): void;
  /** Decimal places of the price axis. */
  setPlaces(places: number): void;
  recolour(): void;
  fit(): void;
  /** Calls with the start of the bar under the crosshair in ms; undefined when there is none. */
  onCrosshair(listener: (startMs: number | undefined) => void): void;
  /** Calls when the oldest bar comes near the left edge. */
  onNearStart(listener: () => void): void;
  remove(): void;
}

interface Palette {
  text: string;
  line: string;
  up: string;
  down: string;
  upWash: string;
  downWash: string;
  warn: string;
}

function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const value = (name: string): string => style.getPropertyValue(name).trim();
  return {
    text: value('--muted'),
    line: value('--line-soft'),
    up: value('--up'),
    down: value('--down'),
    upWash: value('--up-wash'),
    downWash: value('--down-wash'),
    warn: value('--warn'),
  };
}

const NEAR_START_BARS = 30;
const VISIBLE_BARS = 120;
/** A young history does not fill the chart with a few fat candles. */
const MIN_VISIBLE_BARS = 60;
const MIN_BAR_PX = 5;
/** Beyond this, a chart's axis shows fewer places than the price has; the legend shows all of them. */
const MAX_AXIS_PLACES = 8;

export function createCandles(container: HTMLElement): Candles {
  const chart = createChart(container, { autoSize: true, crosshair: { mode: CrosshairMode.Normal } });
  const candles = chart.addSeries(CandlestickSeries);
  const volume = chart.addSeries(HistogramSeries, {
    priceScaleId: 'volume',
    priceFormat: { type: 'volume' },
    lastValueVisible: false,
    priceLineVisible: false,
  });
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.14, bottom: 0.24 } });
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
  const markers = createSeriesMarkers(candles, []);
  let colours = palette();
  let newestMs = Number.NEGATIVE_INFINITY;
  let shown: readonly ChartBar[] = [];
  let revised: readonly ChartBar[] = [];
  let waitsForSize = false;
  style();

  function style(): void {
    colours = palette();
    applyPalette(chart, colours);
    candles.applyOptions({
      upColor: colours.up,
      downColor: colours.down,
      borderUpColor: colours.up,
      borderDownColor: colours.down,
      wickUpColor: colours.up,
      wickDownColor: colours.down,
    });
  }

  function mark(): void {
    markers.setMarkers(revised.map((bar) => revisedMarker(bar, colours)));
  }

  /** Shows the newest bars; in a chart that is not on the screen yet, as soon as it is. */
  function fit(): void {
    const width = container.clientWidth;
    waitsForSize = width === 0;
    const { length } = shown;
    const fitting = Math.max(20, Math.floor(width / MIN_BAR_PX));
    const visible = Math.min(VISIBLE_BARS, fitting, Math.max(length, MIN_VISIBLE_BARS));
    if (!waitsForSize) {
      chart.timeScale().setVisibleLogicalRange({ from: length - visible, to: length + 4 });
    }
  }

  const sizes = new ResizeObserver(() => {
    if (waitsForSize) fit();
  });
  sizes.observe(container);

  return {
    replace(bars) {
      shown = bars;
      newestMs = bars.at(-1)?.startMs ?? Number.NEGATIVE_INFINITY;
      candles.setData(bars.map((bar) => candle(bar, colours)));
      volume.setData(bars.map((bar) => column(bar, colours)));
    },
    update(bar) {
      const older = bar.startMs < newestMs;
      newestMs = Math.max(newestMs, bar.startMs);
      candles.update(candle(bar, colours), older);
      volume.update(column(bar, colours), older);
    },
    markRevised(bars) {
      revised = bars;
      mark();
    },
    setPlaces(places) {
      const precision = Math.min(MAX_AXIS_PLACES, places);
      candles.applyOptions({ priceFormat: { type: 'price', precision, minMove: 10 ** -precision } });
    },
    recolour() {
      style();
      mark();
    },
    fit,
    onCrosshair(listener) {
      chart.subscribeCrosshairMove(({ time }) => listener(typeof time === 'number' ? time * 1000 : undefined));
    },
    onNearStart(listener) {
      chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
        if (range !== null && range.from < NEAR_START_BARS && shown.length > 0) listener();
      });
    },
    remove() {
      sizes.disconnect();
      chart.remove();
    },
  };
}

function seconds(bar: ChartBar): UTCTimestamp {
  return (bar.startMs / 1000) as UTCTimestamp;
}

function rising(bar: ChartBar): boolean {
  return Number(bar.close) >= Number(bar.open);
}

/** A provisional candle is hollow: its frame has the colour, its body is empty. */
function candle(bar: ChartBar, colours: Palette): CandlestickData | WhitespaceData {
  const time = seconds(bar);
  if (bar.open === null || bar.high === null || bar.low === null || bar.close === null) return { time };
  const prices = { open: Number(bar.open), high: Number(bar.high), low: Number(bar.low), close: Number(bar.close) };
  return bar.state === 'provisional'
    ? { time, ...prices, color: rising(bar) ? colours.upWash : colours.downWash }
    : { time, ...prices };
}

function column(bar: ChartBar, colours: Palette): HistogramData {
  return { time: seconds(bar), value: Number(bar.volume), color: rising(bar) ? colours.upWash : colours.downWash };
}

function revisedMarker(bar: ChartBar, colours: Palette): SeriesMarker<Time> {
  const times = bar.revision - 1;
  return {
    time: seconds(bar),
    position: 'aboveBar',
    shape: 'circle',
    size: 0.6,
    color: colours.warn,
    text: `×${times}`,
  };
}

function applyPalette(chart: IChartApi, colours: Palette): void {
  chart.applyOptions({
    layout: {
      background: { type: ColorType.Solid, color: 'transparent' },
      textColor: colours.text,
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 11,
      attributionLogo: true,
    },
    grid: { vertLines: { color: colours.line }, horzLines: { color: colours.line } },
    rightPriceScale: { borderColor: colours.line },
    timeScale: { borderColor: colours.line, timeVisible: true, secondsVisible: false, rightOffset: 4 },
  });
}
