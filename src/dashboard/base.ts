/** Where the deployment is that this page is of: its script lies at the root, which may be below a path of another application. */
export const BASE = import.meta.url.replace(/\/[^/]*$/, '');
