/* u P(u) of the normal distribution's part P above u, in 16 pieces: the numbers k for which u + u^2
 * / 4 is nearest to k, of u up to 6.12. Columns are pieces; first come their middles, then
 * polynomials of the distance from there, of which the relative error is 2^-26 at the most. A
 * middle is a float at which the value is almost a float, too: else the constant's own rounding
 * were an error of its own. */
#ifndef KILN_UKERNELS_GELU_H
#define KILN_UKERNELS_GELU_H

static const float gelu_pieces[9][16] = {
    {0, 0x1.a001a8p-1f, 0x1.72882ep0f, 0x1.fd80b6p0f, 0x1.3b49e2p1f, 0x1.727004p1f, 0x1.a4afa2p1f,
     0x1.d3fc68p1f, 0x1.fff1dp1f, 0x1.148646p2f, 0x1.287e5ap2f, 0x1.3b3cd2p2f, 0x1.4d9806p2f,
     0x1.5ec67cp2f, 0x1.6f82d4p2f, 0x1.7fd48cp2f},
    {0, 0x1.5a8806p-3f, 0x1.b6148ap-4f, 0x1.7b975ap-5f, 0x1.15deaap-6f, 0x1.68a93p-8f,
     0x1.b4d194p-10f, 0x1.eacc42p-12f, 0x1.0a22a4p-13f, 0x1.19df0ap-15f, 0x1.1882d8p-17f,
     0x1.16047ap-19f, 0x1.04d29ep-21f, 0x1.f22bc8p-24f, 0x1.cc8ab2p-26f, 0x1.9d4d2p-28f},
    {0x1p-1f, -0x1.95c6c8p-6f, -0x1.0789eep-3f, -0x1.616c76p-4f, -0x1.4b1e58p-5f, -0x1.0000aep-6f,
     -0x1.6286d4p-8f, -0x1.bcd5ecp-10f, -0x1.087bacp-11f, -0x1.2f10aap-13f, -0x1.43b848p-15f,
     -0x1.555f7ep-17f, -0x1.5317a2p-19f, -0x1.54a58cp-21f, -0x1.4a0ae4p-23f, -0x1.356a66p-25f},
    {-0x1.988458p-2f, -0x1.897638p-3f, 0x1.b36758p-8f, 0x1.ba3592p-5f, 0x1.3ff24p-5f,
     0x1.3c4cd8p-6f, 0x1.039be4p-7f, 0x1.73d8bep-9f, 0x1.ebe37ep-11f, 0x1.340572p-12f,
     0x1.63e28cp-14f, 0x1.91a808p-16f, 0x1.a87214p-18f, 0x1.c2370ep-20f, 0x1.ca9662p-22f,
     0x1.c251e8p-24f},
    {0x1.a36398p-19f, 0x1.09a2dep-3f, 0x1.0773fcp-4f, 0x1.74d956p-11f, -0x1.0b0abp-6f,
     -0x1.a2d0cp-7f, -0x1.b792bep-8f, -0x1.7570e2p-9f, -0x1.1909c2p-10f, -0x1.86645cp-12f,
     -0x1.ed1898p-14f, -0x1.2c1bbep-15f, -0x1.536de6p-17f, -0x1.7decb6p-19f, -0x1.9a8e1ep-21f,
     -0x1.a79db6p-23f},
    {0x1.1028cp-4f, -0x1.20c01ep-9f, -0x1.2bc95cp-5f, -0x1.2e164p-6f, -0x1.5c2898p-10f,
     0x1.00a9bep-8f, 0x1.bb1602p-9f, 0x1.e5dc22p-10f, 0x1.b13068p-11f, 0x1.559a74p-12f,
     0x1.df0ffap-14f, 0x1.3dd4bep-15f, 0x1.83d496p-17f, 0x1.d1adccp-19f, 0x1.096616p-20f,
     0x1.20d9e8p-22f},
    {0x1.3c47a2p-12f, -0x1.6381cap-6f, 0x1.21f284p-10f, 0x1.2750f6p-7f, 0x1.33d9bcp-8f,
     0x1.2ecbbap-11f, -0x1.99113cp-11f, -0x1.8c0a9ep-11f, -0x1.ca9b78p-12f, -0x1.ad0536p-13f,
     -0x1.56546cp-14f, -0x1.f7435ap-16f, -0x1.4f0b16p-17f, -0x1.b0e562p-19f, -0x1.072876p-20f,
     -0x1.2f9c88p-22f},
    {-0x1.685564p-7f, 0x1.bf2202p-9f, 0x1.5e3cep-8f, -0x1.5cbe52p-12f, -0x1.0098p-9f,
     -0x1.1539a4p-10f, -0x1.8af24cp-13f, 0x1.147338p-13f, 0x1.360542p-13f, 0x1.7f6aaep-14f,
     0x1.6e7532p-15f, 0x1.32b496p-16f, 0x1.c5e71ap-18f, 0x1.3f2fd2p-19f, 0x1.a1d584p-21f,
     0x1.0165dep-22f},
    {0x1.c6093cp-10f, 0x1.408db2p-9f, -0x1.5bee26p-10f, -0x1.133f4ep-10f, 0x1.0a280ap-13f,
     0x1.c9ab7ep-12f, 0x1.90abdep-13f, 0x1.b42282p-15f, -0x1.8125eep-16f, -0x1.a5bc68p-16f,
     -0x1.23dda8p-16f, -0x1.17a476p-17f, -0x1.d5fa08p-19f, -0x1.6399a8p-20f, -0x1.00b482p-21f,
     -0x1.537608p-23f},
};
#endif
