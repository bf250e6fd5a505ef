/** The headers that the platform adds to static files: https://developers.cloudflare.com/workers/static-assets/headers/ */

/** The page runs its own script and asks its own origin; nothing else is loaded, framed or sent anywhere. */
const DASHBOARD = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** @param style the digest of the stylesheet that stands in the page of the API: nothing else is loaded there, and nothing runs */
export function headerRules(style: string): string {
  const reference = `default-src 'none'; style-src 'sha256-${style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return `/*
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer
/
  Content-Security-Policy: ${DASHBOARD}
  Cross-Origin-Opener-Policy: same-origin
/docs
  Content-Security-Policy: ${reference}
  ! Cache-Control
  Cache-Control: public, max-age=300
/openapi.json
  Access-Control-Allow-Origin: *
  ! Cache-Control
  Cache-Control: public, max-age=300
`;
}
