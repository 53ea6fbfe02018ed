; py65_hello.s - for the `py65mon` board: says hello, then sends back every key, letters as capitals, until a full
; stop (.) ends the run at `finished`, a jump to itself. Plain 6502 code: it runs on the NMOS chip as well.

.setcpu "6502"

CONSOLE_OUT     = $F001         ; a write prints the byte
CONSOLE_IN      = $F004         ; a read gives the next key, or 0 when there is none

.code
reset:
        cld
        ldx #$FF
        txs
        inx
@next:
        lda hello,x
        beq echo
        sta CONSOLE_OUT
        inx
        bne @next               ; always: the text is short

echo:
        lda CONSOLE_IN
        beq echo
        cmp #'.'
        beq goodbye
        cmp #'a'
        bcc @print
        cmp #'z' + 1
        bcs @print
        and #%11011111
@print:
        sta CONSOLE_OUT
        jmp echo

goodbye:
        ldx #0
@next:
        lda bye,x
        beq finished
        sta CONSOLE_OUT
        inx
        bne @next               ; always

finished:
        jmp finished

unused_interrupt:
        rti

.rodata
hello:          .byte "hello from py65mon", $0D, $0A, 0
bye:            .byte $0D, $0A, "bye", $0D, $0A, 0

.segment "VECTORS"
        .word unused_interrupt
        .word reset
        .word unused_interrupt
