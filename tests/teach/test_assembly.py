"""Machine code as text, and the loops in it."""

import numpy as np
import pytest
from numba import njit

from mlteach.matmul.jit import jit, jit_ikj
from mlteach.teach.assembly import find_hot_loop, hot_loop

AVX2 = """
	.globl	add
add:
	testq	%rax, %rax
	jle	.LBB0_9
.LBB0_3:
	xorl	%ecx, %ecx
	.p2align	4
.LBB0_5:
	vmulps	-96(%r10,%rsi,4), %ymm1, %ymm2
	vaddps	-96(%r11,%rsi,4), %ymm2, %ymm2
	vfmadd231ps	(%rcx,%r9,4), %ymm4, %ymm1
	vmovups	%ymm2, -96(%r11,%rsi,4)
	addq	$8, %rsi
	jne	.LBB0_5
.LBB0_7:
	vaddss	%xmm1, %xmm0, %xmm0
	jne	.LBB0_7
	jmp	.LBB0_3
.LBB0_9:
	vaddsd	%xmm1, %xmm0, %xmm0
	retq
"""
NEON = """
_add:
LBB0_1:
	ldp	q0, q1, [x8, #-16]
	fmul	v0.4s, v0.4s, v2.s[0]
	fadd	v0.4s, v3.4s, v0.4s
	fmla.4s	v1, v4, v5
	subs	x9, x9, #8
	b.ne	LBB0_1
LBB0_2:
	fadd	s0, s0, s1
	fmadd	d0, d1, d2, d3
	cbnz	x10, LBB0_2
	ret
"""
SSE = """
.LBB0_1:
	mulsd	(%rdx,%rax,8), %xmm1
	addsd	%xmm1, %xmm0
	addpd	%xmm3, %xmm2
	cmpq	%rax, %rcx
	jne	.LBB0_1
"""
SVE = """
.LBB0_1:
	ld1w	{ z1.s }, p0/z, [x8, x9, lsl #2]
	fadd	z0.s, z1.s, z0.s
	fmla	z2.d, p0/m, z1.d, z3.d
	tbnz	w10, #0, .LBB0_1
"""
AVX512 = """
.LBB0_1:
	vfmadd213pd	(%rdx,%rax,8), %zmm1, %zmm0
	vfmadd231ps	(%rdx,%rax,8), %zmm1, %zmm0 {%k1}
	vaddps	(%rdx){1to16}, %zmm1, %zmm0
	jne	.LBB0_1
"""


@pytest.mark.parametrize(
    ("assembly", "adds"),
    [(AVX2, (8, 8)), (NEON, (4, 4)), (SSE, (1, 2)), (SVE, (4, 2)), (AVX512, (8, 16, 16)), ("", ())],
    ids=["avx2", "neon", "sse", "sve", "avx512", "none"],
)
def test_the_widest_innermost_loop_is_found(assembly, adds):
    loop = find_hot_loop(assembly)
    assert loop.adds == adds
    assert (loop.scalar, loop.packed) == (adds.count(1), len(adds) - adds.count(1))
    assert loop.lanes == max(adds, default=0)


SPILLED = """
.LBB0_1:
	vmovups	192(%rsp), %ymm3
	vfmadd231ps	(%rdx,%rax,8), %ymm1, %ymm3
	vmovups	%ymm3, (%rsp,%rcx)
	ldr	q1, [sp, #16]
	ldr	q2, [x1]
	jne	.LBB0_1
"""


@pytest.mark.parametrize(("assembly", "moves"), [(SPILLED, 3), (AVX2, 0), (NEON, 0)])
def test_moves_to_and_from_the_stack_are_counted(assembly, moves):
    assert find_hot_loop(assembly).stack_moves == moves


def test_scalar_additions_on_arm_are_counted():
    assert find_hot_loop(NEON[NEON.index("LBB0_2:") :]).adds == (1, 1)


def test_the_loop_is_shown_without_directives_and_with_its_additions_marked():
    loop = find_hot_loop(AVX2)
    assert [line.split()[0] for line in repr(loop).splitlines()] == [
        "vmulps", "vaddps", "vfmadd231ps", "vmovups", "addq", "jne",
    ]  # fmt: skip
    assert loop._repr_html_().count("border-left") == 2


def test_a_chain_is_scalar_and_a_row_is_packed():
    a = b = out = np.ones((3, 3), np.float32)
    chain, row = hot_loop(jit, a, b, out), hot_loop(jit_ikj, a, b, out)
    assert chain.lanes == 1
    assert chain.packed == 0 < chain.scalar
    assert row.lanes >= 4
    assert row.scalar == 0 < row.packed


def test_the_function_itself_is_left_alone():
    @njit
    def double(x):
        total = x[0]
        for i in range(len(x)):
            total += x[i]
        return total

    assert hot_loop(double, np.ones(3)).scalar > 0
    assert double.signatures == []


def test_what_is_not_compiled_is_refused():
    with pytest.raises(TypeError, match="no machine code to read: put @njit above it"):
        hot_loop(len, 1)
