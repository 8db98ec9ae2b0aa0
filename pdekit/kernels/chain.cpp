// A whole chain linear, tanh, linear, ..., tanh, linear: the way through and back, chunk by chunk of the points. A chunk stays
// with one thread, and what it hands from layer to layer in that thread's second-level cache; threads meet only at the end.
//
// Tensors are row-major. R channels; activation l of L keeps, per chunk, z (R, c, w) -- for l = 0, where z is affine, its value
// alone -- then tanh z[0] (c, w) and the squares of a collapsed Laplacian (c, w). `gemm` is the BLAS routine of that name.

#include "channels.h"

#include <cmath>

namespace {

template <class T>
using Gemm = void (*)(const char *, const char *, const int *, const int *, const int *, const T *, const T *, const int *,
                      const T *, const int *, const T *, T *, const int *);

// The network, the points and the layout; as pdekit/kernels/native_chain.py fills it in.
template <class T>
struct Chain {
    Gemm<T> gemm;
    const T *const *weights, *const *biases;  // of L + 1 linear layers, (out, in) and (out,) or null
    T *const *kept;
    const T *points, *powers;
    const int64_t *widths;  // of L + 2 layers, the first d, the last m
    const int32_t *pairs, *starts;
    int64_t n, chunk;
    int32_t activations, rows, first, collapsed, threads;
};

// tanh x = -E / (2 + E) with E = exp(-2 |x|) - 1, which keeps small x exact to rounding.
inline float power_of_two(float k) {
    const int32_t bits = (static_cast<int32_t>(k) + 127) << 23;
    float result;
    std::memcpy(&result, &bits, sizeof result);
    return result;
}

inline double power_of_two(double k) {
    const int64_t bits = (static_cast<int64_t>(k) + 1023) << 52;
    double result;
    std::memcpy(&result, &bits, sizeof result);
    return result;
}

// exp(r) - 1 for |r| <= ln(2) / 2 by its series: the first neglected term is 1e-8 and 1e-17 of the sum.
inline float expm1_series(float r) {
    const float tail = 1.f / 24 + r * (1.f / 120 + r * (1.f / 720 + r * (1.f / 5040)));
    return r + r * r * (0.5f + r * (1.f / 6 + r * tail));
}

inline double expm1_series(double r) {
    double tail = 1. / 6227020800;
    tail = 1. / 479001600 + r * tail;
    tail = 1. / 39916800 + r * tail;
    tail = 1. / 3628800 + r * tail;
    tail = 1. / 362880 + r * tail;
    tail = 1. / 40320 + r * tail;
    tail = 1. / 5040 + r * tail;
    tail = 1. / 720 + r * tail;
    tail = 1. / 120 + r * tail;
    tail = 1. / 24 + r * tail;
    return r + r * r * (0.5 + r * (1. / 6 + r * tail));
}

template <class T>
void tanh_of(const T *x, T *out, int64_t size) {
    // ln 2 in two parts, so that k ln 2 is exact to twice the precision.
    constexpr T high = sizeof(T) == 4 ? T(0.693359375) : T(6.93147180369123816490e-01);
    constexpr T low = sizeof(T) == 4 ? T(-2.12194440e-4) : T(1.90821492927058770002e-10);
    for (int64_t i = 0; i < size; ++i) {
        const T magnitude = std::fabs(x[i]);
        const T z = T(-2) * (magnitude > T(22) ? T(22) : magnitude);  // NaN stays NaN
        const T k = std::floor(z * T(1.4426950408889634) + T(0.5));
        const T scale = power_of_two(k), r = (z - k * high) - k * low;
        const T e = scale * expm1_series(r) + (scale - T(1));
        out[i] = std::copysign(-e / (T(2) + e), x[i]);
    }
}

// out (rows, right) = alpha * a (rows, inner) b^T, b (right, inner); Fortran reads row-major as transposed.
template <class T>
void times_transposed(Gemm<T> gemm, const T *a, const T *b, T *out, int rows, int right, int inner) {
    const T one = 1, zero = 0;
    gemm("T", "N", &right, &rows, &inner, &one, b, &inner, a, &inner, &zero, out, &right);
}

// out (rows, right) = a (rows, inner) b (inner, right).
template <class T>
void times(Gemm<T> gemm, const T *a, const T *b, T *out, int rows, int right, int inner) {
    const T one = 1, zero = 0;
    gemm("N", "N", &right, &rows, &inner, &one, b, &right, a, &inner, &zero, out, &right);
}

// out (left, right) += a^T b, a (rows, left), b (rows, right).
template <class T>
void add_product(Gemm<T> gemm, const T *a, const T *b, T *out, int rows, int left, int right) {
    const T one = 1;
    gemm("N", "T", &right, &left, &rows, &one, b, &right, a, &left, &one, out, &right);
}

template <class T>
void add_column_sums(const T *rows, T *sums, int64_t n, int64_t width) {
    for (int64_t i = 0; i < n; ++i)
        for (int64_t k = 0; k < width; ++k) sums[k] += rows[i * width + k];
}

template <class T>
struct Kept {
    T *z, *value, *squares;

    Kept(const Chain<T> &net, int layer, int64_t index, int64_t size) {
        const int64_t width = net.widths[layer + 1], rows = layer ? net.rows : 1;
        z = net.kept[layer] + index * (rows + 2) * net.chunk * width;
        value = z + rows * size * width;
        squares = layer && net.collapsed ? value + size * width : nullptr;
    }
};

template <class T>
void activate(const Chain<T> &net, int layer, const Kept<T> &kept, T *out, int64_t size, bool known) {
    const T *const none[3] = {nullptr, nullptr, nullptr};
    const int64_t width = net.widths[layer + 1];
    if (!known) tanh_of(kept.z, kept.value, size * width);
    if (layer)
        forward(kept.value, none, kept.z, out, kept.squares, known, size * width, net.rows, net.first, net.pairs, net.starts, 1);
    else
        affine_forward(kept.value, none, net.powers, out, size, width, net.rows, net.first, 1);
}

// scratch: per thread (R, chunk, widest) and (R, chunk, m).
template <class T>
void chain_forward(const Chain<T> &net, T *out, T *scratch, int64_t scratch_size) {
    const int64_t count = (net.n + net.chunk - 1) / net.chunk, d = net.widths[0], m = net.widths[net.activations + 1];
#pragma omp parallel for schedule(static) num_threads(net.threads) if (net.threads > 1)
    for (int64_t share = 0; share < net.threads; ++share) {
        T *a = scratch + share * scratch_size, *last = a + scratch_size - net.rows * net.chunk * m;
        for (int64_t index = share; index < count; index += net.threads) {
            const int64_t start = index * net.chunk, size = net.n - start < net.chunk ? net.n - start : net.chunk;
            for (int layer = 0; layer < net.activations; ++layer) {
                const int64_t width = net.widths[layer + 1];
                const Kept<T> kept(net, layer, index, size);
                if (layer)
                    times_transposed(net.gemm, a, net.weights[layer], kept.z, net.rows * size, width, net.widths[layer]);
                else
                    times_transposed(net.gemm, net.points + start * d, net.weights[0], kept.z, size, width, d);
                if (const T *bias = net.biases[layer])
                    for (int64_t i = 0; i < size; ++i)
                        for (int64_t k = 0; k < width; ++k) kept.z[i * width + k] += bias[k];
                activate(net, layer, kept, a, size, false);
            }
            const int64_t width = net.widths[net.activations];
            times_transposed(net.gemm, a, net.weights[net.activations], last, net.rows * size, m, width);
            for (int row = 0; row < net.rows; ++row)
                std::memcpy(out + (row * net.n + start) * m, last + row * size * m, size * m * sizeof(T));
            if (const T *bias = net.biases[net.activations])
                for (int64_t i = 0; i < size; ++i)
                    for (int64_t k = 0; k < m; ++k) out[(start + i) * m + k] += bias[k];
        }
    }
}

// grads: per thread, for each linear layer the address to which the gradients of weight and bias (or null) are added;
// outer: per thread (R - 1, w) for that of powers; to_points (n, d) or null. scratch: per thread three times (R, chunk, widest).
template <class T>
void chain_backward(const Chain<T> &net, const T *grad, T *const *grads, T *outer, T *to_points, T *scratch,
                    int64_t scratch_size) {
    const int64_t count = (net.n + net.chunk - 1) / net.chunk, d = net.widths[0], m = net.widths[net.activations + 1];
    const int linears = net.activations + 1;
    const T *const none[3] = {nullptr, nullptr, nullptr};
#pragma omp parallel for schedule(static) num_threads(net.threads) if (net.threads > 1)
    for (int64_t share = 0; share < net.threads; ++share) {
        T *a = scratch + share * scratch_size, *part = a + scratch_size / 3, *g = part + scratch_size / 3;
        T *const *own = grads + share * 2 * linears;
        for (int64_t index = share; index < count; index += net.threads) {
            const int64_t start = index * net.chunk, size = net.n - start < net.chunk ? net.n - start : net.chunk;
            for (int row = 0; row < net.rows; ++row)
                std::memcpy(part + row * size * m, grad + (row * net.n + start) * m, size * m * sizeof(T));
            if (T *bias = own[2 * net.activations + 1]) add_column_sums(part, bias, size, m);
            for (int layer = net.activations; layer > 0; --layer) {
                const int64_t inner = net.widths[layer], right = net.widths[layer + 1];
                const Kept<T> kept(net, layer - 1, index, size);
                activate(net, layer - 1, kept, a, size, true);
                add_product(net.gemm, part, a, own[2 * layer], net.rows * size, right, inner);
                times(net.gemm, part, net.weights[layer], g, net.rows * size, inner, right);
                if (layer > 1) {
                    backward(kept.value, none, kept.z, g, kept.squares, size * inner, net.rows, net.first, net.pairs, net.starts, 1);
                    if (T *bias = own[2 * layer - 1]) add_column_sums(g, bias, size, inner);
                    T *swap = part;
                    part = g, g = swap;
                    continue;
                }
                affine_backward(kept.value, none, net.powers, g, outer + share * (net.rows - 1) * inner, size, inner, net.rows,
                                net.first, 1);
                add_product(net.gemm, g, net.points + start * d, own[0], size, inner, d);
                if (own[1]) add_column_sums(g, own[1], size, inner);
                if (to_points) times(net.gemm, g, net.weights[0], to_points + start * d, size, d, inner);
            }
        }
    }
}

}  // namespace

#define EXPORT(T, NAME)                                                                                                       \
    extern "C" void chain_forward_##NAME(const void *net, T *out, T *scratch, int64_t scratch_size) {                         \
        chain_forward(*static_cast<const Chain<T> *>(net), out, scratch, scratch_size);                                       \
    }                                                                                                                         \
    extern "C" void chain_backward_##NAME(const void *net, const T *grad, T *const *grads, T *outer, T *to_points,            \
                                          T *scratch, int64_t scratch_size) {                                                 \
        chain_backward(*static_cast<const Chain<T> *>(net), grad, grads, outer, to_points, scratch, scratch_size);            \
    }                                                                                                                         \
    extern "C" void tanh_##NAME(const T *x, T *out, int64_t size) { tanh_of(x, out, size); }

EXPORT(float, float32)
EXPORT(double, float64)
