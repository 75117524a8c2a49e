/* The least that a service can be. With RUN it writes the monotonic time of its first instruction, as seconds
   and nanoseconds, and its pid to the FIFO stamps, 24 bytes, and then waits for ever, or with CRASH exits 1.
   With EXEC, too, it executes argv[1] with the rest instead. With LOG it reads its standard input to the end. With
   neither it exits 0. */
	.globl _start
_start:
#ifdef RUN
	sub $24, %rsp
	mov %rsp, %rsi
	mov $1, %edi
	mov $228, %eax		/* clock_gettime(CLOCK_MONOTONIC, stack) */
	syscall
	mov $39, %eax		/* getpid() */
	syscall
	mov %rax, 16(%rsp)
	mov $0x80001, %esi
	lea name(%rip), %rdi
	mov $2, %eax		/* open(name, O_WRONLY | O_CLOEXEC) */
	syscall
	mov $24, %edx
	mov %rsp, %rsi
	mov %eax, %edi
	mov $1, %eax		/* write(fd, stack, 24) */
	syscall
#ifdef EXEC
	mov 24(%rsp), %rax
	lea 40(%rsp), %rsi
	lea 40(%rsp,%rax,8), %rdx
	mov (%rsi), %rdi
	mov $59, %eax		/* execve(argv[1], argv + 1, environ) */
	syscall
#endif
#ifdef CRASH
	mov $1, %edi
	jmp 2f
#endif
1:	mov $34, %eax		/* pause() */
	syscall
	jmp 1b
#endif
#ifdef LOG
	sub $4096, %rsp
1:	mov $4096, %edx
	mov %rsp, %rsi
	xor %edi, %edi
	xor %eax, %eax		/* read(0, stack, 4096) */
	syscall
	test %rax, %rax
	jg 1b
#endif
	xor %edi, %edi
2:	mov $60, %eax		/* exit() */
	syscall
name:	.asciz "stamps"
	.section .note.GNU-stack, "", @progbits
