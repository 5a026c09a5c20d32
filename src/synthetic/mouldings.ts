/** @file Columns, cornices, balustrades and battlements: what divides and crowns a wall. */
import { shade } from './materials.js';
import { drawOrnament } from './ornaments.js';
import { ellipse, profile, rectangle } from './paths.js';
import type { Random } from './random.js';
import type { Relief, Rgb, Shader } from './relief.js';
import type { CorniceKind } from './style.js';

export interface Trim {
  trim: Shader;
  trimColor: Rgb;
  accent: Rgb;
}

/** A round column with base and capital. */
export function drawColumn(
  board: Relief,
  random: Random,
  cx: number,
  top: number,
  bottom: number,
  width: number,
  trim: Trim,
  level: number,
  fluted: boolean,
): void {
  const half = width / 2;
  const capital = Math.min((bottom - top) * 0.16, width * random.range(0.9, 1.4));
  const foot = Math.min((bottom - top) * 0.1, width * 0.5);
  const round = (x: number) => {
    const u = (x + 0.5 - cx) / half;
    const flute = fluted ? Math.cos(u * 16) * width * 0.025 : 0;
    return level + half * Math.sqrt(Math.max(0, 1 - u * u)) + flute;
  };
  board.fill([rectangle(cx - half, top + capital * 0.8, width, bottom - top - capital * 0.8)], {
    color: trim.trim,
    relief: round,
  });
  board.fill([rectangle(cx - half * 1.35, bottom - foot * 0.6, width * 1.35, foot * 0.6)], {
    color: trim.trim,
    relief: level + half * 1.1,
  });
  board.fill([rectangle(cx - half * 1.15, bottom - foot, width * 1.15, foot * 0.45)], {
    color: shade(trim.trimColor, 0.95),
    relief: level + half,
  });
  board.fill([[cx - half, top + capital, cx + half, top + capital, cx + half * 1.45, top, cx - half * 1.45, top]], {
    color: trim.trim,
    relief: level + half * 0.9,
  });
  drawOrnament(
    board,
    random,
    cx - half * 1.1,
    top + capital * 0.12,
    width * 1.1,
    capital * 0.8,
    { ground: shade(trim.trimColor, 0.6), figure: shade(trim.trimColor, 1.1), accent: shade(trim.trimColor, 0.75) },
    1.5,
  );
  board.fill([rectangle(cx - half * 1.5, top, width * 1.5, capital * 0.2)], {
    color: trim.trim,
    relief: level + half * 1.2,
  });
}

/** A flat pilaster, some with a carved panel. */
export function drawPilaster(
  board: Relief,
  random: Random,
  cx: number,
  top: number,
  bottom: number,
  width: number,
  trim: Trim,
  level: number,
): void {
  board.fill([rectangle(cx - width / 2, top, width, bottom - top)], { color: trim.trim, relief: level + width * 0.3 });
  board.fill([rectangle(cx - width * 0.65, top, width * 1.3, width * 0.45)], {
    color: trim.trim,
    relief: level + width * 0.45,
  });
  board.fill([rectangle(cx - width * 0.65, bottom - width * 0.5, width * 1.3, width * 0.5)], {
    color: trim.trim,
    relief: level + width * 0.45,
  });
  if (random.chance(0.4)) {
    const h = Math.min((bottom - top) * 0.4, width * 2);
    const y = random.range(top + width, Math.max(top + width + 1, bottom - width - h));
    drawOrnament(
      board,
      random,
      cx - width * 0.36,
      y,
      width * 0.72,
      h,
      { ground: shade(trim.trimColor, 0.65), figure: shade(trim.trimColor, 1.08), accent: trim.accent },
      1.2,
    );
  }
}

/** A cornice of `height` px whose top is at `top`. */
export function drawCornice(
  board: Relief,
  random: Random,
  left: number,
  top: number,
  width: number,
  height: number,
  kind: CorniceKind,
  trim: Trim,
  level: number,
): void {
  const over = height * 0.35;
  board.fill([rectangle(left, top + height * 0.3, width, height * 0.7)], {
    color: trim.trim,
    relief: level + height * 0.2,
  });
  const count = Math.max(4, Math.round(width / (height * 1.1)));
  const step = width / count;
  switch (kind) {
    case 'dentils':
    case 'brackets':
    case 'corbels': {
      const share = kind === 'dentils' ? 0.5 : 0.32;
      const drop = kind === 'dentils' ? 0.35 : 0.62;
      for (let i = 0; i < count; i++) {
        const x = left + (i + 0.5 - share / 2) * step;
        const tone = shade(trim.trimColor, random.range(0.72, 1.1));
        board.fill([rectangle(x, top + height * 0.32, step * share, height * drop)], {
          color: tone,
          relief: level + height * 0.45,
        });
        if (kind === 'corbels')
          board.fill([ellipse(x + (step * share) / 2, top + height * 0.9, step * share * 0.6)], {
            color: tone,
            relief: level + height * 0.5,
          });
      }
      break;
    }
    case 'frieze':
      drawOrnament(
        board,
        random,
        left + height * 0.2,
        top + height * 0.36,
        width - height * 0.4,
        height * 0.6,
        { ground: shade(trim.trimColor, 0.75), figure: shade(trim.trimColor, 1.08), accent: trim.accent },
        2,
      );
      break;
    case 'plain':
      board.fill([rectangle(left, top + height * 0.62, width, height * 0.1)], {
        color: shade(trim.trimColor, 0.7),
        relief: level + height * 0.1,
      });
      break;
  }
  board.fill([rectangle(left - over, top, width + 2 * over, height * 0.18)], {
    color: trim.trim,
    relief: level + height * 0.7,
  });
  board.fill([rectangle(left - over * 0.5, top + height * 0.18, width + over, height * 0.14)], {
    color: trim.trim,
    relief: level + height * 0.5,
  });
}

/** A row of balusters between posts, standing on `bottom`. */
export function drawBalustrade(
  board: Relief,
  random: Random,
  left: number,
  bottom: number,
  width: number,
  height: number,
  trim: Trim,
  level: number,
): void {
  board.fill([rectangle(left, bottom - height, width, height * 0.22)], { color: trim.trim, relief: level + 3 });
  board.fill([rectangle(left, bottom - height * 0.2, width, height * 0.2)], { color: trim.trim, relief: level + 3 });
  const count = Math.max(3, Math.round(width / (height * 0.5)));
  for (let i = 0; i < count; i++) {
    const x = left + ((i + 0.5) * width) / count;
    const post = i % 5 === 0;
    if (post)
      board.fill([rectangle(x - height * 0.18, bottom - height * 1.1, height * 0.36, height * 1.1)], {
        color: trim.trim,
        relief: level + 5,
      });
    else
      board.fill(
        [
          profile(x, bottom - height * 0.18, height * 0.64, height * 0.15, [
            [0, 0.5],
            [0.3, 1],
            [0.7, 0.45],
            [1, 0.7],
          ]),
        ],
        { color: shade(trim.trimColor, random.range(0.8, 1.05)), relief: level + 3 },
      );
  }
}

/** Merlons on `bottom`; the tops are square, pointed or stepped by `shape`. */
export function drawBattlement(
  board: Relief,
  random: Random,
  left: number,
  bottom: number,
  width: number,
  height: number,
  wall: Shader,
  level: number,
  shape: number,
): void {
  const count = Math.max(3, Math.round(width / (height * 1.15)));
  const step = width / count;
  for (let i = 0; i < count; i++) {
    const x = left + (i + 0.18) * step;
    const w = step * 0.64;
    const h = height * random.range(0.9, 1);
    const y = bottom - h;
    const outline =
      shape === 0
        ? rectangle(x, y, w, h)
        : shape === 1
          ? [x, bottom, x, y + h * 0.4, x + w / 2, y - h * 0.1, x + w, y + h * 0.4, x + w, bottom]
          : [
              x,
              bottom,
              x,
              y + h * 0.45,
              x + w * 0.22,
              y + h * 0.45,
              x + w * 0.22,
              y,
              x + w * 0.78,
              y,
              x + w * 0.78,
              y + h * 0.45,
              x + w,
              y + h * 0.45,
              x + w,
              bottom,
            ];
    board.fill([outline], { color: wall, relief: level });
    if (shape > 0)
      board.fill([rectangle(x + w * 0.42, y + h * 0.5, w * 0.16, h * 0.32)], {
        color: [0.1, 0.09, 0.08],
        relief: level - 4,
      });
  }
  board.fill([rectangle(left, bottom - height * 0.18, width, height * 0.2)], { color: wall, relief: level + 2 });
}
