; line.s - the line editor.

.setcpu "65C02"
.include "monitor.inc"

LINE_LENGTH_MAX = 127           ; without the zero byte that ends it

.code
; Reads a line into `line`, echoing it, in lower case and ended by a zero byte. CR ends it; so does LF, except the LF
; of a CR LF. Backspace and DEL take a character back, Control-U all of them. Carry set: Control-C was typed.
read_line:
        ldy #0                  ; the length of the line so far
@next:
        jsr get_char
        bcs @interrupted
        ldx previous
        sta previous

        cmp #RETURN
        beq @end
        cmp #LINE_FEED
        bne @not_line_feed
        cpx #RETURN
        bne @end
        bra @next

@not_line_feed:
        cmp #BACKSPACE
        beq @erase
        cmp #DELETE
        beq @erase
        cmp #CONTROL_U
        beq @erase_all
        cmp #' '
        bcc @next               ; other control characters mean nothing here
        cmp #DELETE
        bcs @next               ; nor do bytes beyond ASCII

        cpy #LINE_LENGTH_MAX
        bcs @full
        jsr put_char
        jsr to_lower_case
        sta line,y
        iny
        bra @next

@full:
        lda #BELL
        jsr put_char
        bra @next

@erase:
        cpy #0
        beq @next
        jsr erase_character
        bra @next

@erase_all:
        cpy #0
        beq @next
        jsr erase_character
        bra @erase_all

@end:
        lda #0
        sta line,y
        jsr put_newline
        clc
@interrupted:
        rts

; Takes the last character off the line and off the screen.
erase_character:
        dey
        lda #BACKSPACE
        jsr put_char
        jsr put_space
        jmp put_char            ; A is still a backspace

to_lower_case:
        cmp #'A'
        bcc @done
        cmp #'Z' + 1
        bcs @done
        ora #%00100000
@done:
        rts
