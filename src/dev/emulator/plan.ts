/** A plan of the service: its limits, as somebody says them who starts the emulator. Types only, and of no package. */

/** Each may be changed at any time; undefined, there is none. */
export interface Limits {
  /** Commands of the month, as billed since the start: with the last of them everything is refused, reads too. */
  monthlyCommands?: number | undefined;
  /** Of all data: when it is used up, growing writes are refused, in the middle of scripts too. */
  capacityBytes?: number | undefined;
  /** What a full database does with scripts. 'refused': none is begun, as somebody saw at the service with one that only read. */
  scriptsWhenFull?: 'begun' | 'refused' | undefined;
  /** Of one key's value: what would make it larger is refused, in the middle of scripts too. */
  recordBytes?: number | undefined;
  keyBytes?: number | undefined;
  /** Of one command, and of one result. Default: 10 MiB. */
  requestBytes?: number | undefined;
  /** What comes faster waits; a second's worth may come at once. */
  commandsPerSecond?: number | undefined;
}
