// The formulas of channels.h for pdekit/kernels/native.py.

#include "channels.h"

#define EXPORT(T, NAME)                                                                                                       \
    extern "C" void forward_##NAME(const T *value, const T *f1, const T *f2, const T *z, T *out, T *squares, int known,      \
                                   int64_t m, int rows, int first, const int32_t *pairs, const int32_t *starts,              \
                                   int threads) {                                                                             \
        const T *const f[3] = {f1, f2, nullptr};                                                                             \
        forward(value, f, z, out, squares, known, m, rows, first, pairs, starts, threads);                                   \
    }                                                                                                                         \
    extern "C" void backward_##NAME(const T *value, const T *f1, const T *f2, const T *f3, const T *z, T *grad,              \
                                    const T *squares, int64_t m, int rows, int first, const int32_t *pairs,                  \
                                    const int32_t *starts, int threads) {                                                     \
        const T *const f[3] = {f1, f2, f3};                                                                                  \
        backward(value, f, z, grad, squares, m, rows, first, pairs, starts, threads);                                        \
    }                                                                                                                         \
    extern "C" void affine_forward_##NAME(const T *value, const T *f1, const T *f2, const T *powers, T *out, int64_t n,      \
                                          int64_t w, int rows, int first, int threads) {                                     \
        const T *const f[3] = {f1, f2, nullptr};                                                                             \
        affine_forward(value, f, powers, out, n, w, rows, first, threads);                                                   \
    }                                                                                                                         \
    extern "C" void affine_backward_##NAME(const T *value, const T *f1, const T *f2, const T *f3, const T *powers, T *grad,  \
                                           T *outer, int64_t n, int64_t w, int rows, int first, int threads) {               \
        const T *const f[3] = {f1, f2, f3};                                                                                  \
        affine_backward(value, f, powers, grad, outer, n, w, rows, first, threads);                                          \
    }

EXPORT(float, float32)
EXPORT(double, float64)
