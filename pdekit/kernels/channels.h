// The formulas of formulas.py in one pass over memory: a block of points goes through all channels while it lies in the
// first-level cache. Rows (m,) of all channels z (C, m) are contiguous; m = points * width.
//
// f', f'', f''' come as arrays, or, where there are none, from the value t of tanh: f' = 1 - t^2, f'' = -2 t f', f''' = f' (4 - 6 f').
// Row `first` and those after it are the second-order ones; the pairs (i, j) of row first + p are pairs[starts[p]] to
// pairs[starts[p + 1]], two numbers each. `squares` (m,), if given, keeps the pair sum of the last row.

#pragma once

#include <cstdint>
#include <cstring>

namespace {

constexpr int64_t BLOCK = 256;

template <class T>
struct Slopes {
    const T *first, *second, *third;
    T memory[3][BLOCK];

    Slopes(const T *value, const T *const f[3], int64_t start, int64_t size) {
        if (f[0]) {
            first = f[0] + start;
            second = f[1] ? f[1] + start : nullptr;
            third = f[2] ? f[2] + start : nullptr;
            return;
        }
        const T *t = value + start;
        for (int64_t k = 0; k < size; ++k) {
            memory[0][k] = T(1) - t[k] * t[k];
            memory[1][k] = T(-2) * t[k] * memory[0][k];
            memory[2][k] = memory[0][k] * (T(4) - T(6) * memory[0][k]);
        }
        first = memory[0], second = memory[1], third = memory[2];
    }
};

template <class T>
const T *pair_sum(const T *z, int64_t m, int64_t start, int64_t size, const int32_t *pairs, int32_t from, int32_t to, T *out) {
    std::memset(out, 0, size * sizeof(T));
    for (int32_t p = from; p < to; ++p) {
        const T *a = z + pairs[2 * p] * m + start, *b = z + pairs[2 * p + 1] * m + start;
        for (int64_t k = 0; k < size; ++k) out[k] += a[k] * b[k];
    }
    return out;
}

template <class T>
void forward(const T *value, const T *const f[3], const T *z, T *out, T *squares, int known, int64_t m, int rows, int first,
             const int32_t *pairs, const int32_t *starts, int threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int64_t start = 0; start < m; start += BLOCK) {
        const int64_t size = m - start < BLOCK ? m - start : BLOCK;
        const Slopes<T> slopes(value, f, start, size);
        T memory[BLOCK];
        std::memcpy(out + start, value + start, size * sizeof(T));
        for (int row = 1; row < rows; ++row) {
            const T *from = z + row * m + start;
            T *to = out + row * m + start;
            if (row < first) {
                for (int64_t k = 0; k < size; ++k) to[k] = slopes.first[k] * from[k];
                continue;
            }
            T *kept = squares && row == rows - 1 ? squares + start : nullptr;
            const T *sum = kept && known ? kept
                                         : pair_sum(z, m, start, size, pairs, starts[row - first], starts[row - first + 1],
                                                    kept ? kept : memory);
            for (int64_t k = 0; k < size; ++k) to[k] = slopes.first[k] * from[k] + slopes.second[k] * sum[k];
        }
    }
}

template <class T>
void backward(const T *value, const T *const f[3], const T *z, T *grad, const T *squares, int64_t m, int rows, int first,
              const int32_t *pairs, const int32_t *starts, int threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int64_t start = 0; start < m; start += BLOCK) {
        const int64_t size = m - start < BLOCK ? m - start : BLOCK;
        const Slopes<T> slopes(value, f, start, size);
        T memory[BLOCK], total[BLOCK];
        std::memset(total, 0, sizeof total);
        for (int row = 1; row < rows; ++row) {
            const T *g = grad + row * m + start, *from = z + row * m + start;
            for (int64_t k = 0; k < size; ++k) total[k] += g[k] * from[k];
        }
        if (rows > 1)
            for (int64_t k = 0; k < size; ++k) total[k] *= slopes.second[k];
        for (int row = first; row < rows; ++row) {
            const T *g = grad + row * m + start;
            const T *sum = squares && row == rows - 1 ? squares + start
                                                      : pair_sum(z, m, start, size, pairs, starts[row - first],
                                                                 starts[row - first + 1], memory);
            for (int64_t k = 0; k < size; ++k) total[k] += slopes.third[k] * sum[k] * g[k];
        }
        for (int row = 0; row < first; ++row) {
            T *g = grad + row * m + start;
            for (int64_t k = 0; k < size; ++k) g[k] *= slopes.first[k];
        }
        for (int64_t k = 0; k < size; ++k) grad[start + k] += total[k];
        for (int row = first; row < rows; ++row) {
            T *own = grad + row * m + start;
            for (int64_t k = 0; k < size; ++k) memory[k] = slopes.second[k] * own[k];
            for (int64_t k = 0; k < size; ++k) own[k] *= slopes.first[k];
            for (int32_t p = starts[row - first]; p < starts[row - first + 1]; ++p)
                for (int side = 0; side < 2; ++side) {
                    const T *from = z + pairs[2 * p + side] * m + start;
                    T *g = grad + pairs[2 * p + 1 - side] * m + start;
                    for (int64_t k = 0; k < size; ++k) g[k] += memory[k] * from[k];
                }
        }
    }
}

// For z affine in the coordinates: row r of u is powers (C - 1, w) in row r - 1 times f' or, from `first` on, f''.
template <class T>
void affine_forward(const T *value, const T *const f[3], const T *powers, T *out, int64_t n, int64_t w, int rows, int first,
                    int threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int64_t point = 0; point < n; ++point)
        for (int64_t unit = 0; unit < w; unit += BLOCK) {
            const int64_t size = w - unit < BLOCK ? w - unit : BLOCK, start = point * w + unit;
            const Slopes<T> slopes(value, f, start, size);
            std::memcpy(out + start, value + start, size * sizeof(T));
            for (int row = 1; row < rows; ++row) {
                const T *slope = row < first ? slopes.first : slopes.second, *power = powers + (row - 1) * w + unit;
                T *to = out + row * n * w + start;
                for (int64_t k = 0; k < size; ++k) to[k] = power[k] * slope[k];
            }
        }
}

// Leaves the gradient with respect to z in the first row of grad, and adds that with respect to powers to the block of
// `outer` (threads, C - 1, w) that belongs to the thread.
template <class T>
void affine_backward(const T *value, const T *const f[3], const T *powers, T *grad, T *outer, int64_t n, int64_t w, int rows,
                     int first, int threads) {
    const int64_t share = (n + threads - 1) / threads;
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int thread = 0; thread < threads; ++thread)
        for (int64_t point = thread * share; point < (thread + 1) * share && point < n; ++point)
            for (int64_t unit = 0; unit < w; unit += BLOCK) {
                const int64_t size = w - unit < BLOCK ? w - unit : BLOCK, start = point * w + unit;
                const Slopes<T> slopes(value, f, start, size);
                T *inner = grad + start;
                for (int64_t k = 0; k < size; ++k) inner[k] *= slopes.first[k];
                for (int row = 1; row < rows; ++row) {
                    const T *slope = row < first ? slopes.first : slopes.second;
                    const T *next = row < first ? slopes.second : slopes.third;
                    const T *g = grad + row * n * w + start, *power = powers + (row - 1) * w + unit;
                    T *sum = outer + (thread * (rows - 1) + row - 1) * w + unit;
                    for (int64_t k = 0; k < size; ++k) {
                        inner[k] += g[k] * power[k] * next[k];
                        sum[k] += g[k] * slope[k];
                    }
                }
            }
}

}  // namespace
