/**
 * Resolves in a later task, after messages that are waiting, so that a cancellation can arrive between two pieces of
 * work. A message to oneself, as timers are held back by browsers to 4 ms and more.
 */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
