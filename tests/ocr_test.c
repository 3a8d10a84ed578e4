/* SPDX-License-Identifier: Apache-2.0
 * What stands between the OCR networks and the text: geometry, boxes from a map, cutting out, decoding,
 * order. */
#include "tools/ocr/ctc.h"
#include "tools/ocr/db_post.h"
#include "tools/ocr/reading.h"
#include "tools/ocr/rectify.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint32_t random_state = 1;

static double next_random(void) /* 0 to 1 */
{
    random_state = random_state * 1664525u + 1013904223u;
    return (random_state >> 8) / 16777216.0;
}

/* ---- geometry ---- */

static double turn(ocr_point a, ocr_point b, ocr_point c)
{
    return (b.x - a.x) * (c.y - b.y) - (b.y - a.y) * (c.x - b.x);
}

static void hull_holds_all_points(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        ocr_point p[40], hull[41];
        int n = 1 + (int)(next_random() * 39),
            grid = 2 + round % 9; /* a coarse grid: many on one line, many equal */
        for (int i = 0; i < n; i++)
            p[i] = (ocr_point){floor(next_random() * grid), floor(next_random() * grid)};
        int corners = ocr_convex_hull(p, n, hull);
        assert_in_range(corners, 1, n);
        for (int i = 0; i < corners && corners > 2; i++) {
            ocr_point a = hull[i], b = hull[(i + 1) % corners];
            assert_true(turn(a, b, hull[(i + 2) % corners]) >
                        0); /* clockwise on the screen, no corner on an edge */
            for (int k = 0; k < n; k++) assert_true(turn(a, b, p[k]) >= 0);
        }
    }
}

/* Area of the least rectangle by trying every direction in small steps. */
static double least_area_by_search(const ocr_point *p, int n)
{
    double least = INFINITY;
    for (int step = 0; step < 9000; step++) {
        double angle = step * acos(-1) / 18000, c = cos(angle), s = sin(angle);
        double u0 = INFINITY, u1 = -INFINITY, v0 = INFINITY, v1 = -INFINITY;
        for (int i = 0; i < n; i++) {
            double u = p[i].x * c + p[i].y * s, v = p[i].y * c - p[i].x * s;
            u0 = fmin(u0, u), u1 = fmax(u1, u), v0 = fmin(v0, v), v1 = fmax(v1, v);
        }
        least = fmin(least, (u1 - u0) * (v1 - v0));
    }
    return least;
}

static void rectangle_is_the_least(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        ocr_point p[30], hull[31];
        int n = 3 + (int)(next_random() * 27);
        for (int i = 0; i < n; i++) p[i] = (ocr_point){next_random() * 100, next_random() * 30};
        ocr_rect r = ocr_min_area_rect(hull, ocr_convex_hull(p, n, hull));
        double searched = least_area_by_search(p, n);
        assert_true(r.width * r.height <= searched + 1e-9);
        assert_true(r.width * r.height >= searched * 0.99 - 0.5);
        assert_true(r.axis.x >= fabs(r.axis.y) - 1e-12);
        assert_float_equal((float)hypot(r.axis.x, r.axis.y), 1, 1e-6f);
        for (int i = 0; i < n; i++) { /* holds every point */
            double dx = p[i].x - r.centre.x, dy = p[i].y - r.centre.y;
            assert_true(fabs(dx * r.axis.x + dy * r.axis.y) <= r.width / 2 + 1e-9);
            assert_true(fabs(dy * r.axis.x - dx * r.axis.y) <= r.height / 2 + 1e-9);
        }
    }
}

static void rectangle_of_a_line_and_a_point(void **state)
{
    (void)state;
    ocr_point line[] = {{3, 4}, {6, 8}, {9, 12}}, hull[4];
    ocr_rect r = ocr_min_area_rect(hull, ocr_convex_hull(line, 3, hull));
    assert_float_equal((float)(r.width + r.height), 10, 1e-5f);
    assert_float_equal((float)(r.width * r.height), 0, 1e-5f);
    ocr_point point[] = {{3, 4}, {3, 4}};
    r = ocr_min_area_rect(hull, ocr_convex_hull(point, 2, hull));
    assert_true(r.width == 0 && r.height == 0 && r.centre.x == 3 && r.centre.y == 4);
}

/* ---- boxes ---- */

enum { MAP_W = 120, MAP_H = 80 };

/* Paints a rectangle at an angle with `value`. */
static void paint(float *map, double cx, double cy, double w, double h, double degrees, float value)
{
    double c = cos(degrees * acos(-1) / 180), s = sin(degrees * acos(-1) / 180);
    for (int y = 0; y < MAP_H; y++)
        for (int x = 0; x < MAP_W; x++) {
            double dx = x + 0.5 - cx, dy = y + 0.5 - cy;
            if (fabs(dx * c + dy * s) <= w / 2 && fabs(dy * c - dx * s) <= h / 2) map[y * MAP_W + x] = value;
        }
}

static ocr_box *boxes_of(const float *map, const db_options *options, int *count)
{
    ocr_box *boxes = NULL;
    vki_error err = {0};
    assert_int_equal(db_find_boxes(map, MAP_W, MAP_H, options, &boxes, count, &err), VKI_OK);
    return boxes;
}

static void box_of_a_straight_core(void **state)
{
    (void)state;
    float map[MAP_W * MAP_H] = {0};
    paint(map, 40.5, 30.5, 40, 10, 0, 0.9f); /* pixel middles from 20.5 to 60.5 and 25.5 to 35.5 */
    int count;
    ocr_box *boxes = boxes_of(map, &(db_options){0.3f, 0.6f, 1.5, 3, 1000}, &count);
    assert_int_equal(count, 1);
    assert_float_equal(boxes[0].score, 0.9f, 1e-5f);
    double grow = 40 * 10 * 1.5 / (2 * (40 + 10));
    const ocr_point *p = boxes[0].quad.p;
    assert_float_equal((float)p[0].x, (float)(20.5 - grow), 1e-4f);
    assert_float_equal((float)p[0].y, (float)(25.5 - grow), 1e-4f);
    assert_float_equal((float)(p[1].x - p[0].x), (float)(40 + 2 * grow), 1e-4f);
    assert_float_equal((float)(p[3].y - p[0].y), (float)(10 + 2 * grow), 1e-4f);
    assert_true(p[2].x > p[3].x && p[2].y > p[1].y);
    free(boxes);
}

static void box_of_a_slanted_core(void **state)
{
    (void)state;
    float map[MAP_W * MAP_H] = {0};
    paint(map, 60, 40, 70, 14, -20, 1.0f);
    int count;
    ocr_box *boxes = boxes_of(map, &(db_options){0.3f, 0.6f, 0, 3, 1000}, &count);
    assert_int_equal(count, 1);
    const ocr_point *p = boxes[0].quad.p;
    double angle = atan2(p[1].y - p[0].y, p[1].x - p[0].x) * 180 / acos(-1);
    assert_float_equal((float)angle, -20, 1.5f);
    assert_float_equal((float)ocr_distance(p[0], p[1]), 70, 2);
    assert_float_equal((float)ocr_distance(p[0], p[3]), 14, 2);
    assert_true(boxes[0].score > 0.9f);
    free(boxes);
}

static void cores_that_are_no_text(void **state)
{
    (void)state;
    float map[MAP_W * MAP_H] = {0};
    int count;
    free(boxes_of(map, &db_defaults, &count));
    assert_int_equal(count, 0);
    paint(map, 30, 20, 30, 10, 0, 0.5f);  /* above the threshold, but not sure enough */
    paint(map, 90, 20, 30, 2, 0, 0.9f);   /* too thin */
    paint(map, 30, 60, 30, 10, 0, 0.29f); /* below the threshold */
    free(boxes_of(map, &db_defaults, &count));
    assert_int_equal(count, 0);
    map[0] = NAN; /* a broken network must not break the post-processing */
    for (int x = 0; x < MAP_W; x++) map[70 * MAP_W + x] = INFINITY;
    free(boxes_of(map, &db_defaults, &count));
    assert_int_equal(count, 0);
    for (int i = 0; i < MAP_W * MAP_H; i++) map[i] = 1; /* all of it */
    ocr_box *boxes = boxes_of(map, &db_defaults, &count);
    assert_int_equal(count, 1);
    free(boxes);
}

static void cores_are_told_apart(void **state)
{
    (void)state;
    float map[MAP_W * MAP_H] = {0};
    for (int k = 0; k < 6; k++) paint(map, 20 + 40 * (k % 3), 15 + 40 * (k / 3), 30, 12, 0, 0.8f);
    int count;
    free(boxes_of(map, &db_defaults, &count));
    assert_int_equal(count, 6);
    free(boxes_of(map, &(db_options){0.3f, 0.6f, 1.5, 3, 4}, &count));
    assert_int_equal(count, 4);
    paint(map, 60, 15, 100, 1, 0, 0.8f); /* joins the first row */
    free(boxes_of(map, &(db_options){0.3f, 0.5f, 1.5, 3, 1000}, &count));
    assert_int_equal(count, 4);
    ocr_box *boxes = NULL;
    vki_error err = {0};
    assert_int_equal(db_find_boxes(map, 0, MAP_H, &db_defaults, &boxes, &count, &err), VKI_E_ARG);
    assert_null(boxes);
}

/* ---- order ---- */

static ocr_box box_at(double x, double y, double w, double h, float tag)
{
    return (ocr_box){{{{x, y}, {x + w, y}, {x + w, y + h}, {x, y + h}}}, tag};
}

static void order_of_reading(void **state)
{
    (void)state;
    ocr_box boxes[] = {box_at(300, 104, 50, 20, 2), box_at(10, 150, 100, 20, 3), box_at(10, 100, 100, 20, 1),
                       box_at(200, 10, 50, 30, 0), box_at(400, 141, 50, 20, 4)};
    ocr_reading_order(boxes, 5);
    for (int i = 0; i < 5; i++) assert_true(boxes[i].score == (float)i);
    ocr_reading_order(boxes, 0);
    ocr_reading_order(boxes, 1);
}

/* ---- cutting out ---- */

/* A picture whose red is x and whose green is y: a sample tells where it was taken. */
static picture gradient(void)
{
    picture p;
    assert_int_equal(picture_create(&p, 200, 150, NULL), VKI_OK);
    for (int y = 0; y < 150; y++)
        for (int x = 0; x < 200; x++) {
            uint8_t *to = p.rgb + (y * 200 + x) * 3;
            to[0] = (uint8_t)x;
            to[1] = (uint8_t)y;
            to[2] = 7;
        }
    return p;
}

static void expect_pixel(const picture *p, int x, int y, double red, double green)
{
    const uint8_t *at = p->rgb + (y * p->width + x) * 3;
    assert_float_equal((float)at[0], (float)red, 0.51f);
    assert_float_equal((float)at[1], (float)green, 0.51f);
    assert_int_equal(at[2], 7);
}

static void rectify_straight_and_slanted(void **state)
{
    (void)state;
    picture from = gradient(), out;
    ocr_quad straight = {{{20, 30}, {80, 30}, {80, 50}, {20, 50}}};
    assert_int_equal(ocr_rectify(&from, &straight, &out, NULL), VKI_OK);
    assert_int_equal(out.width, 60);
    assert_int_equal(out.height, 20);
    expect_pixel(&out, 0, 0, 20, 30);
    expect_pixel(&out, 59, 19, 79, 49);
    picture_free(&out);
    ocr_quad slanted = {{{50, 60}, {110, 15}, {122, 31}, {62, 76}}}; /* 75 x 20, sides 3:4:5 */
    assert_int_equal(ocr_rectify(&from, &slanted, &out, NULL), VKI_OK);
    assert_int_equal(out.width, 75);
    assert_int_equal(out.height, 20);
    /* middle of pixel (10, 5): 10.5 along (0.8, -0.6), 5.5 along (0.6, 0.8), and half a pixel to the middles
     */
    expect_pixel(&out, 10, 5, 50 + 10.5 * 0.8 + 5.5 * 0.6 - 0.5, 60 - 10.5 * 0.6 + 5.5 * 0.8 - 0.5);
    picture_free(&out);
    picture_free(&from);
}

static void rectify_perspective(void **state)
{
    (void)state;
    picture from = gradient(), out;
    ocr_quad q = {{{20, 20}, {120, 40}, {120, 80}, {20, 120}}}; /* a wall seen at an angle */
    assert_int_equal(ocr_rectify(&from, &q, &out, NULL), VKI_OK);
    assert_int_equal(out.height, 100);
    /* the diagonals of the quad cross at (87.71, 61.67): the image of the middle, wherever the lens stood */
    double t =
        5.0 / 7; /* 20 + 100 t along the upper-left to lower-right diagonal: y = 20 + 60 t meets 120 - 80 t */
    expect_pixel(&out, out.width / 2, 50, 20 + 100 * t, 20 + 60 * t);
    picture_free(&out);
    picture_free(&from);
}

static void rectify_turns_and_refuses(void **state)
{
    (void)state;
    picture from = gradient(), out;
    ocr_quad tall = {{{20, 30}, {40, 30}, {40, 90}, {20, 90}}};
    assert_int_equal(ocr_rectify(&from, &tall, &out, NULL), VKI_OK);
    assert_int_equal(out.width, 60);
    assert_int_equal(out.height, 20);
    expect_pixel(&out, 0, 0, 39, 30); /* the right side is the top now */
    expect_pixel(&out, 59, 19, 20, 89);
    picture_free(&out);
    ocr_quad beside = {{{-30, -10}, {30, -10}, {30, 10}, {-30, 10}}};
    assert_int_equal(ocr_rectify(&from, &beside, &out, NULL), VKI_OK);
    expect_pixel(&out, 0, 0, 0, 0); /* the edge, repeated */
    expect_pixel(&out, 59, 19, 29, 9);
    picture_free(&out);
    ocr_quad nothing = {{{5, 5}, {5, 5}, {5, 5}, {5, 5}}};
    vki_error err = {0};
    assert_int_equal(ocr_rectify(&from, &nothing, &out, &err), VKI_E_ARG);
    assert_non_null(strstr(err.text, "no area"));
    assert_null(out.rgb);
    ocr_quad broken = {{{NAN, 5}, {50, 5}, {50, 25}, {5, 25}}};
    assert_int_equal(ocr_rectify(&from, &broken, &out, &err), VKI_E_ARG);
    picture_free(&from);
}

/* ---- decoding ---- */

static void decode(const ctc_keys *keys, int classes, const char *labels, const char *wanted, float score)
{
    enum { STEPS = 16, CLASSES = 8 };
    float p[STEPS * CLASSES];
    int steps = (int)strlen(labels);
    for (int t = 0; t < steps; t++)
        for (int k = 0; k < classes; k++)
            p[t * classes + k] = k == labels[t] - '0' ? 0.5f + 0.01f * (float)t : 0.01f;
    char *text = NULL;
    float got = -1;
    vki_error err = {0};
    assert_int_equal(ctc_decode(p, steps, classes, keys, &text, &got, &err), VKI_OK);
    assert_string_equal(text, wanted);
    assert_float_equal(got, score, 1e-5f);
    free(text);
}

static void ctc_merges_repeats(void **state)
{
    (void)state;
    const char list[] = "a\nb\r\n\xe7\x8e\xb0\nd"; /* no newline at the end; one line ends as on Windows */
    ctc_keys keys;
    assert_int_equal(ctc_keys_parse(&keys, list, sizeof list - 1, NULL), VKI_OK);
    assert_int_equal(keys.count, 4);
    decode(&keys, 6, "011002", "ab", (0.51f + 0.55f) / 2);
    decode(&keys, 6, "1011", "aa", (0.50f + 0.52f) / 2);
    decode(&keys, 6, "3344",
           "\xe7\x8e\xb0"
           "d",
           (0.50f + 0.52f) / 2);
    decode(&keys, 6, "1525", "a b ", (0.50f + 0.51f + 0.52f + 0.53f) / 4);
    decode(&keys, 6, "000", "", 0);
    decode(&keys, 6, "", "", 0);
    decode(&keys, 5, "14", "ad", (0.50f + 0.51f) / 2); /* a network without a space */
    char *text;
    float score, p[8] = {0};
    vki_error err = {0};
    assert_int_equal(ctc_decode(p, 1, 7, &keys, &text, &score, &err), VKI_E_SHAPE);
    assert_non_null(strstr(err.text, "4 lines"));
    assert_null(text);
    ctc_keys_free(&keys);
}

static void ctc_key_lists(void **state)
{
    (void)state;
    ctc_keys keys;
    vki_error err = {0};
    assert_int_equal(ctc_keys_parse(&keys, "", 0, &err), VKI_E_FORMAT);
    assert_int_equal(ctc_keys_load(&keys, "/nonexistent/keys.txt", &err), VKI_E_IO);
    assert_non_null(strstr(err.text, "/nonexistent/keys.txt"));
    assert_int_equal(ctc_keys_parse(&keys, "x\ny\n", 4, &err), VKI_OK);
    assert_int_equal(keys.count, 2);
    ctc_keys_free(&keys);
    assert_int_equal(ctc_keys_parse(&keys, "x\n\ny", 4, &err), VKI_OK); /* an empty key keeps its number */
    assert_int_equal(keys.count, 3);
    assert_string_equal(keys.items[2], "y");
    ctc_keys_free(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hull_holds_all_points),
        cmocka_unit_test(rectangle_is_the_least),
        cmocka_unit_test(rectangle_of_a_line_and_a_point),
        cmocka_unit_test(box_of_a_straight_core),
        cmocka_unit_test(box_of_a_slanted_core),
        cmocka_unit_test(cores_that_are_no_text),
        cmocka_unit_test(cores_are_told_apart),
        cmocka_unit_test(order_of_reading),
        cmocka_unit_test(rectify_straight_and_slanted),
        cmocka_unit_test(rectify_perspective),
        cmocka_unit_test(rectify_turns_and_refuses),
        cmocka_unit_test(ctc_merges_repeats),
        cmocka_unit_test(ctc_key_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
