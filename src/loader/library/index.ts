/** Converted models kept in the browser's private file system. */
export { keptSource } from './keptSource';
export { type Kept, Library, type Shelf } from './library';
