/* VLFeat's Hessian-affine for scripts/repeatability/run.ts: rows of x, y, a11, a12, a21, a22, response and 128 descriptor
 * values, float32, strongest first.
 *
 *   cc -O2 scripts/repeatability/covdet.c -lvl -lm -o covdet        (Debian: libvlfeat-dev)
 *   covdet IMAGE.raw WIDTH HEIGHT MAXIMUM OUT.bin
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vl/covdet.h>
#include <vl/imopv.h>
#include <vl/sift.h>

enum { RESOLUTION = 15, SIDE = 2 * RESOLUTION + 1 };

static int stronger(void const *a, void const *b) {
  float x = ((VlCovDetFeature const *)a)->peakScore, y = ((VlCovDetFeature const *)b)->peakScore;
  x = x < 0 ? -x : x;
  y = y < 0 ? -y : y;
  return x > y ? -1 : x < y;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  vl_size width = atoi(argv[2]), height = atoi(argv[3]), maximum = atoi(argv[4]);
  unsigned char *bytes = malloc(width * height);
  float *image = malloc(width * height * sizeof(float));
  FILE *in = fopen(argv[1], "rb");
  if (!in || fread(bytes, 1, width * height, in) != width * height) return 1;
  fclose(in);
  for (vl_size i = 0; i < width * height; i++) image[i] = bytes[i] / 255.0f;

  VlCovDet *detector = vl_covdet_new(VL_COVDET_METHOD_HESSIAN);
  vl_covdet_set_first_octave(detector, -1);
  vl_covdet_put_image(detector, image, width, height);
  vl_covdet_detect(detector);
  qsort(vl_covdet_get_features(detector), vl_covdet_get_num_features(detector), sizeof(VlCovDetFeature), stronger);
  vl_covdet_extract_affine_shape(detector);
  vl_covdet_extract_orientations(detector);
  vl_size count = vl_covdet_get_num_features(detector);
  VlCovDetFeature *features = vl_covdet_get_features(detector);
  qsort(features, count, sizeof(VlCovDetFeature), stronger);

  FILE *out = fopen(argv[5], "wb");
  VlSiftFilt *sift = vl_sift_new(16, 16, 1, 3, 0);
  vl_sift_set_magnif(sift, 3.0);
  float patch[SIDE * SIDE], gradient[2 * SIDE * SIDE], descriptor[128];
  for (vl_size i = 0; i < count && i < maximum; i++) {
    VlFrameOrientedEllipse frame = features[i].frame;
    vl_covdet_extract_patch_for_frame(detector, patch, RESOLUTION, 7.5, 1.0, frame);
    vl_imgradient_polar_f(gradient, gradient + 1, 2, 2 * SIDE, patch, SIDE, SIDE, SIDE);
    vl_sift_calc_raw_descriptor(sift, gradient, descriptor, SIDE, SIDE, RESOLUTION, RESOLUTION, RESOLUTION / 7.5, 0);
    float row[7] = {frame.x, frame.y, frame.a11, frame.a12, frame.a21, frame.a22, features[i].peakScore};
    fwrite(row, sizeof(float), 7, out);
    fwrite(descriptor, sizeof(float), 128, out);
  }
  fclose(out);
  return 0;
}
