import './register.ts';

export * from '../../workflows/index.ts';
