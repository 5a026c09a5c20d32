/** @file How much a text stands out in a browser's page. */

interface PageElement {
  parentElement: PageElement;
}
declare function getComputedStyle(element: PageElement): { color: string; backgroundColor: string };

/** Of an element's text to what is behind it, by WCAG 2. Runs in the page. */
export function contrast(element: PageElement): number {
  const light = (colour: string) => {
    const [r, g, b] = (colour.match(/[\d.]+/g) ?? []).map((text) => {
      const value = Number(text) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = element;
  while (getComputedStyle(behind).backgroundColor.endsWith(', 0)')) behind = behind.parentElement;
  const lights = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(light);
  const [brighter, darker] = lights.sort((a, b) => b - a);
  return (brighter + 0.05) / (darker + 0.05);
}
