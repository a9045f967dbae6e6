const AMBIENT = 21;
/** Time for about two thirds of the way to where the heater would end up. */
const TIME_CONSTANT_S = { T: 18, B: 60 };

/** A nozzle and a bed that warm up and cool down as such things do, many times as fast if asked. */
export function createHeaters(speed: number) {
  const heaters = {
    T: { target: 0, celsius: AMBIENT, at: performance.now() },
    B: { target: 0, celsius: AMBIENT, at: performance.now() },
  };
  type Name = keyof typeof heaters;
  const read = (name: Name): number => {
    const heater = heaters[name];
    const now = performance.now();
    const seconds = ((now - heater.at) / 1_000) * speed;
    // On full power it would end up far above its target, where its controller holds it.
    const end = heater.celsius < heater.target ? heater.target + 60 : Math.max(AMBIENT, heater.target);
    const next = end + (heater.celsius - end) * Math.exp(-seconds / TIME_CONSTANT_S[name]);
    heater.celsius = heater.celsius < heater.target ? Math.min(next, heater.target) : next;
    heater.at = now;
    return heater.celsius;
  };
  return {
    set(name: Name, celsius: number): void {
      read(name);
      heaters[name].target = celsius;
    },
    isThere: (name: Name): boolean => read(name) >= heaters[name].target - 1,
    off(): void {
      this.set('T', 0);
      this.set('B', 0);
    },
    /** As M105 answers. */
    report(): string {
      const one = (name: Name) => `${name}:${read(name).toFixed(2)} /${heaters[name].target.toFixed(2)}`;
      return `${one('T')} ${one('B')} @:0 B@:0`;
    },
  };
}
