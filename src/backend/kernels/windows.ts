/**
 * @file Windows of convolutions and pools as ONNX has them. tfjs computes the number of windows along both axes from the filter's
 * height and the vertical stride where padding is one number, and rounds up where it is told to; ONNX computes it from the
 * input, the padding and the window, axis by axis. So the padding behind is chosen to give tfjs's number, and rows that no
 * window reaches are cut off: all of them if all windows lie in the padding before.
 */
import { asActivation, physically } from '../record.js';
import type { Value } from '../value.js';
import { bordered, strided } from './shape.js';

interface WindowInfo {
  inShape: [number, number, number, number];
  inHeight: number;
  inWidth: number;
  outHeight: number;
  outWidth: number;
  strideHeight: number;
  strideWidth: number;
  effectiveFilterHeight: number;
  effectiveFilterWidth: number;
  padInfo: { top: number; left: number; bottom: number; right: number };
}

/** Padding behind and extent of the input along one axis so that there are exactly `out` windows. */
function fittedAxis(extent: number, out: number, stride: number, window: number, before: number, after: number) {
  const needed = (out - 1) * stride + window - extent - before;
  const fits = after >= needed && after < needed + stride;
  return fits ? { extent, after } : { extent: Math.max(0, extent + Math.min(0, needed)), after: Math.max(0, needed) };
}

/** `info` with the padding behind and the input's extents, at most the tensor's, that give its number of windows. */
export function fitted<Info extends WindowInfo>(info: Info): Info {
  const { inShape, inHeight, inWidth, outHeight, outWidth, padInfo } = info;
  const { strideHeight, strideWidth, effectiveFilterHeight, effectiveFilterWidth } = info;
  const { top, left, bottom, right } = padInfo;
  const rows = fittedAxis(inHeight, outHeight, strideHeight, effectiveFilterHeight, top, bottom);
  const columns = fittedAxis(inWidth, outWidth, strideWidth, effectiveFilterWidth, left, right);
  return {
    ...info,
    inHeight: rows.extent,
    inWidth: columns.extent,
    inShape: [inShape[0], rows.extent, columns.extent, inShape[3]],
    padInfo: { ...padInfo, bottom: rows.after, right: columns.after },
  };
}

/** The part of an activation that the windows reach. */
export function reached(x: Value, { inShape }: WindowInfo): Value {
  return strided(x, [0, 0, 0, 0], inShape);
}

/** Its gradient as the gradient of an activation of `shape`: zeros behind. */
export function unreached(gradient: Value, [, height, width]: readonly number[]): Value {
  const [, h, w] = gradient.shape;
  if (h === height && w === width) return gradient;
  return asActivation(bordered(physically(gradient), [0, 0, height - h, width - w]));
}
