/** Reads what INFO says. Pure. */

export const fieldOf = (info: string, name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1];

/** Their headings, in small letters. */
export const sectionsOf = (info: string) => [...info.matchAll(/^# (\S+)/gm)].map(([, name = '']) => name.toLowerCase());
