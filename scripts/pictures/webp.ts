/** A PNG as WebP, a quarter of its size: the browser that took it can write that too. */
import type { Browser } from 'playwright-core';

const QUALITY = 0.85;

export async function webp(browser: Browser, png: Buffer): Promise<Buffer> {
  const page = await browser.newPage();
  try {
    const url = await page.evaluate(`(async () => {
      const image = new Image();
      image.src = 'data:image/png;base64,${png.toString('base64')}';
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      canvas.getContext('2d').drawImage(image, 0, 0);
      return canvas.toDataURL('image/webp', ${QUALITY});
    })()`);
    return Buffer.from(String(url).slice('data:image/webp;base64,'.length), 'base64');
  } finally {
    await page.close();
  }
}
