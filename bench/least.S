/* The least that a link can be: execute argv[1] with the rest. With no word left: exit 0. */
	.globl _start
_start:
	lea 16(%rsp), %rsi
	mov (%rsi), %rdi
	test %rdi, %rdi
	jz 1f
	mov (%rsp), %rax
	lea 16(%rsp,%rax,8), %rdx
	mov $59, %eax
	syscall
1:	xor %edi, %edi
	mov $60, %eax
	syscall
	.section .note.GNU-stack, "", @progbits
