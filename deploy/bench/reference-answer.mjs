/** As many headers, and as long, as the redirect sends. */
export const HEADERS = {
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'strict-origin-when-cross-origin',
  'X-Robots-Tag': 'noindex',
  Location: `https://shop-7.example/products/4711?utm_source=partner&utm_medium=referral&utm_campaign=spring&click_id=${'A'.repeat(32)}`,
  'Content-Length': '0',
};
