import type { Browser, BrowserContextOptions, Locator, Page, WebSocketRoute } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, openBrowser, startProduct, type Product } from './product.ts';

const PHONE = { width: 390, height: 844 };
const DESK = { width: 1_440, height: 900 };

describe.skipIf(CHROMIUM === undefined)('dashboard on the running product', () => {
  let product: Product;
  let browser: Browser;
  let problems: string[] = [];

  beforeAll(async () => {
    [product, browser] = await Promise.all([startProduct('--seed', '7'), openBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await product?.stop();
    await product?.remove();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    const found = problems;
    problems = [];
    expect(found).toEqual([]);
  });

  async function open(options: BrowserContextOptions = {}, before?: (page: Page) => Promise<void>): Promise<Page> {
    const context = await browser.newContext({ viewport: DESK, colorScheme: 'dark', ...options });
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(String(error.stack)));
    await before?.(page);
    await page.goto(product.url);
    return page;
  }

  /** Resolves when the element's text is another one than now, and is a number. */
  async function ticks(target: Locator): Promise<void> {
    const before = await target.textContent();
    await expect
      .poll(async () => target.textContent(), { timeout: 30_000, interval: 50 })
      .toSatisfy((text: string | null) => text !== before && /\d/u.test(text ?? ''));
  }

  it('MD-12 loads, is live, and says SIMULATED', async () => {
    const page = await open();
    await expect.poll(() => page.getByTestId('connection').textContent(), { timeout: 30_000 }).toBe('live');
    await expect.poll(() => page.locator('.badge').first().textContent(), { timeout: 30_000 }).toBe('SIMULATED');
    expect(await page.title()).toBe('Edgetape');
  });

  it('the watchlist ticks and filters', async () => {
    const page = await open();
    await ticks(page.getByTestId('price').first());
    const rows = page.getByRole('option');
    await expect.poll(() => rows.count()).toBeGreaterThan(3);
    await page.getByRole('searchbox').fill('no-such-symbol');
    await expect.poll(() => rows.count()).toBe(0);
    await page.getByText('No symbol fits').waitFor();
    await page.getByRole('searchbox').press('Escape');
    await expect.poll(() => rows.count()).toBeGreaterThan(3);
  });

  it('keys move the selection and the chart follows', async () => {
    const page = await open();
    await page.getByRole('option').nth(1).waitFor();
    await page.getByRole('listbox').focus();
    await page.keyboard.press('Home');
    const title = page.locator('.instrument h2');
    const first = await title.textContent();
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => title.textContent()).not.toBe(first);
    await page.keyboard.press('ArrowUp');
    await expect.poll(() => title.textContent()).toBe(first);
  });

  it('WN-6 candles move with the provisional bar, and the timeframe can be changed', async () => {
    const page = await open();
    const legend = page.getByTestId('legend');
    await ticks(legend.locator('[data-key=volume]'));
    expect(await legend.locator('[data-key=state]').textContent()).toBe('provisional');
    await page.getByRole('button', { name: '1h' }).click();
    expect(await page.getByRole('button', { name: '1h' }).getAttribute('aria-pressed')).toBe('true');
    await expect.poll(() => legend.locator('[data-key=time]').textContent(), { timeout: 30_000 }).toMatch(/:00 UTC$/u);
    await ticks(legend.locator('[data-key=volume]'));
    expect(new URL(page.url()).searchParams.get('tf')).toBe('1h');
  });

  it('trades, quote and statistics are shown', async () => {
    const page = await open();
    await ticks(page.locator('.tape tbody tr').first().locator('td').first());
    await ticks(page.locator('.quote b').first());
    await expect
      .poll(() => page.locator('.tape tbody tr').first().locator('td').nth(3).textContent())
      .toMatch(/^(buy|sell|cancel|correction|)$/u);
    await expect
      .poll(() => page.getByTestId('latency').textContent(), { timeout: 30_000 })
      .toMatch(/screen[\d.]+ m?s \/ [\d.]+ m?s/u);
  });

  it('the theme follows the system, then the choice, and is remembered', async () => {
    const page = await open({ colorScheme: 'light' });
    const theme = (): Promise<string | undefined> => page.evaluate(() => document.documentElement.dataset['theme']);
    await page.getByRole('button', { name: /theme/u }).waitFor();
    expect(await theme()).toBe('light');
    await page.getByRole('button', { name: 'Use the dark theme' }).click();
    expect(await theme()).toBe('dark');
    await page.reload();
    await page.getByRole('button', { name: 'Use the light theme' }).waitFor();
    expect(await theme()).toBe('dark');
  });

  it('nothing is wider than a phone', async () => {
    const page = await open({ viewport: PHONE, hasTouch: true });
    await ticks(page.getByTestId('price').first());
    for (const view of ['Watchlist', 'Chart', 'Trades']) {
      await page.getByRole('tab', { name: view }).click();
      const [scroll, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      expect(scroll, view).toBe(width);
    }
    await page.getByRole('tab', { name: 'Chart' }).click();
    await page.locator('.chart-canvas canvas').first().waitFor({ state: 'visible' });
  });

  it('SQ-5 a lost connection is shown and comes back with the data', async () => {
    const routes: WebSocketRoute[] = [];
    let refuse = false;
    const page = await open({}, (fresh) =>
      fresh.routeWebSocket(/\/v1\/stream/u, (route) => {
        routes.push(route);
        if (refuse) void route.close({ code: 4_003 });
        else route.connectToServer();
      }),
    );
    const connection = page.getByTestId('connection');
    await expect.poll(() => connection.textContent(), { timeout: 30_000 }).toBe('live');
    await ticks(page.getByTestId('price').first());
    refuse = true;
    for (const route of routes) await route.close({ code: 4_003 });
    await expect.poll(() => connection.textContent(), { timeout: 30_000 }).toMatch(/^reconnecting/u);
    await expect.poll(() => page.locator('.panel[data-fresh=stale]').count(), { timeout: 30_000 }).toBeGreaterThan(0);
    refuse = false;
    await expect.poll(() => connection.textContent(), { timeout: 30_000 }).toBe('live');
    await ticks(page.getByTestId('price').first());
    await expect.poll(() => page.locator('.panel[data-fresh=stale]').count()).toBe(0);
  });
});
