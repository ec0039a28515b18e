import { expect, it } from 'vitest';
import { startProduct } from './product.ts';

it('the product starts, serves, and stops in good order', async () => {
  const product = await startProduct('--seed', '7');
  try {
    const page = await fetch(product.url);
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('<title>Edgetape</title>');
    expect((await fetch(`${product.url}/v1/symbols`)).status).toBe(200);
  } finally {
    const { code } = await product.stop();
    expect(code, product.output()).toBe(0);
    await product.remove();
  }
});
