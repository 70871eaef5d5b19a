/* Matrix products: XNNPACK's fully connected operator with its roles swapped. The operator packs
 * its weights when it is created, which for large, changing weights would cost as much as the
 * product. So the small operand (a batch of samples) is given as the operator's weights, and the
 * large one (a layer's weights) as its input, which is read where it lies. */
#include "runtime/train/network.h"

#ifdef KILN_TRAIN_XNNPACK

#include "runtime/kernels/xnnpack.h"

kiln_status product_create(size_t k, size_t n, const real *b, bool b_by_k, pthreadpool_t pool,
                           product *out_product, kiln_error *error) {
    *out_product = (product){k, n, b, b_by_k, pool, NULL};
    return xnnpack_create_product(k, n, b, b_by_k, &out_product->packed, error);
}

kiln_status product_run(const product *p, size_t m, const real *a, real *y, kiln_error *error) {
    return xnnpack_run_product(p->packed, m, a, y, p->pool, error);
}

void product_destroy(product *p) {
    xnnpack_delete_product(p->packed);
}

#else /* any precision */

kiln_status product_create(size_t k, size_t n, const real *b, bool b_by_k, pthreadpool_t pool,
                           product *out_product, kiln_error *error) {
    (void)error;
    *out_product = (product){k, n, b, b_by_k, pool, NULL};
    return KILN_OK;
}

kiln_status product_run(const product *p, size_t m, const real *a, real *y, kiln_error *error) {
    (void)error;
    for (size_t row = 0; row < m; row++) {
        for (size_t column = 0; column < p->n; column++) {
            real sum = 0;
            for (size_t k = 0; k < p->k; k++) {
                sum += a[row * p->k + k] *
                       (p->b_by_k ? p->b[k * p->n + column] : p->b[column * p->k + k]);
            }
            y[row * p->n + column] = sum;
        }
    }
    return KILN_OK;
}

void product_destroy(product *p) {
    (void)p;
}

#endif

kiln_status product_once(size_t m, size_t k, size_t n, const real *a, const real *b, bool b_by_k,
                         real *y, pthreadpool_t pool, kiln_error *error) {
    product p;
    kiln_status status = product_create(k, n, b, b_by_k, pool, &p, error);
    if (status == KILN_OK) {
        status = product_run(&p, m, a, y, error);
        product_destroy(&p);
    }
    return status;
}
