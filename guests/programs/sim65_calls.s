; sim65_calls.s - for the `sim65` board: makes each of its calls, as a C program's library would.
;
; Prints its arguments, a line each; writes "kept" into the file out.txt, reads it back and prints it (or "no file");
; sends back what it reads from standard input, to its end; exits with 7. An argument "escape" makes it use ../out.txt.

OPEN            = $FFF4         ; (name, flags, ...): Y is the size of the arguments
CLOSE           = $FFF5         ; (descriptor)
READ            = $FFF6         ; (descriptor, buffer, count)
WRITE           = $FFF7         ; (descriptor, buffer, count)
ARGS            = $FFF8         ; (where the pointer to the arguments goes)
EXIT            = $FFF9         ; (code)

O_RDONLY        = $01
O_WRITE         = $02 | $10 | $20 ; write only, create, truncate

STACK_TOP       = $7000
BUFFER          = $7100

.zeropage
sp:             .res 2          ; the C stack pointer
arguments:      .res 2
count:          .res 1
text:           .res 2
length:         .res 1
file:           .res 1
name:           .res 2

.segment "HEADER"
        .byte "sim65", 2, 0, sp
        .word start, start

.code
start:
        cld
        ldx #$FF
        txs
        lda #<STACK_TOP
        sta sp
        lda #>STACK_TOP
        sta sp+1
        lda #<file_name
        sta name
        lda #>file_name
        sta name+1
        lda #<arguments
        ldx #>arguments
        jsr ARGS
        sta count

next_argument:
        lda count
        beq files
        ldy #0
        lda (arguments),y
        sta text
        iny
        lda (arguments),y
        sta text+1
        ldy #0
@compare:
        lda (text),y
        cmp escape,y
        bne @print
        iny
        cpy #escape_length
        bne @compare
        lda #<way_out
        sta name
        lda #>way_out
        sta name+1
@print:
        jsr print_text
        lda #<newline
        ldx #>newline
        jsr print
        clc
        lda arguments
        adc #2
        sta arguments
        bcc @counted
        inc arguments+1
@counted:
        dec count
        jmp next_argument

files:
        lda #O_WRITE
        jsr open_file
        bcs no_file
        ldx #0
        jsr push                ; the descriptor
        lda #<kept
        ldx #>kept
        jsr push
        lda #kept_length
        ldx #0
        jsr WRITE
        lda file
        ldx #0
        jsr CLOSE
        lda #O_RDONLY
        jsr open_file
        bcs no_file
        jsr copy
        lda file
        ldx #0
        jsr CLOSE
        jmp input

no_file:
        lda #<missing
        ldx #>missing
        jsr print

input:
        lda #0
        sta file
        jsr copy
        lda #7
        ldx #0
        jsr EXIT

; Sends what comes from `file` to standard output, to its end.
copy:
        lda file
        ldx #0
        jsr push
        lda #<BUFFER
        ldx #>BUFFER
        jsr push
        lda #200
        ldx #0
        jsr READ
        cpx #$FF
        beq @done
        sta length
        cmp #0
        beq @done
        lda #<BUFFER
        sta text
        lda #>BUFFER
        sta text+1
        jsr write_text
        jmp copy
@done:
        rts

; Opens the file with the flags in A. Its descriptor comes in `file` and A; carry: it is not there.
open_file:
        pha
        lda name
        ldx name+1
        jsr push
        pla
        ldx #0
        jsr push
        ldy #4
        jsr OPEN
        sta file
        cpx #$FF
        rts

; Prints the text at AX, which a zero byte ends.
print:
        sta text
        stx text+1
print_text:
        ldy #0
@measure:
        lda (text),y
        beq @measured
        iny
        bne @measure
@measured:
        sty length
write_text:
        lda #1
        ldx #0
        jsr push
        lda text
        ldx text+1
        jsr push
        lda length
        ldx #0
        jmp WRITE

; Puts AX on the C stack.
push:
        pha
        sec
        lda sp
        sbc #2
        sta sp
        bcs @put
        dec sp+1
@put:
        ldy #1
        txa
        sta (sp),y
        dey
        pla
        sta (sp),y
        rts

.rodata
newline:        .byte $0A, 0
file_name:      .byte "out.txt", 0
way_out:        .byte "../out.txt", 0
missing:        .byte "no file", $0A, 0
escape:         .byte "escape", 0
escape_length   = * - escape
kept:           .byte "kept", $0A
kept_length     = * - kept
