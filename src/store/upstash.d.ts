// The HTTP client inside @upstash/redis, which its entries keep to themselves: docs/decisions/0004 says why it is taken alone.
declare module '*/@upstash/redis/chunk-4WQYU7T6.mjs' {
  export class HttpClient {
    constructor(options: {
      baseUrl: string;
      headers: { authorization: string };
      retry: { retries: number };
      responseEncoding: false;
    });
    /** Sends one request. @throws as the package does: UpstashError, UpstashJSONParseError, or what fetch threw */
    request(request: {
      body: string[];
      signal: () => AbortSignal;
    }): Promise<{ result?: unknown; error?: string } | null>;
  }
}
