export default {
  testEnvironment: '<rootDir>/test/support/environment.ts',
  roots: ['<rootDir>/test'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.[cm]?[jt]s$': '<rootDir>/test/support/native-modules.ts' },
  transformIgnorePatterns: ['/node_modules/(?:@jest|jest-[^/]+|expect)/'],
  // Ends what hangs, on a slow machine too; what is promised in a time is measured by its test.
  testTimeout: 400_000,
  // Two more than the two processors that there are at least: many files wait for most of their time.
  maxWorkers: 4,
  testSequencer: '<rootDir>/test/support/sequencer.ts',
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
};
