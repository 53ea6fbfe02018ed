; variables.s - the monitor's memory.
;
;   0000-00BF  free for programs
;   00C0-00FF  the monitor's variables
;   0100-01FF  stack
;   0200-027F  line buffer; 0280-028F one row of a hex dump; the rest of the page is unused
;   0300-03FF  ring buffer of the serial receiver
;   0400-3FFF  free for programs

.setcpu "65C02"
.include "monitor.inc"

.zeropage
variables_start:

; Time since reset, kept by the interrupt handler, in binary.
ticks:          .res 2          ; hundredths of a second, modulo 65536
centiseconds:   .res 1          ; 0-99
seconds:        .res 1          ; 0-59
minutes:        .res 1          ; 0-59
hours:          .res 2

; The ring buffer is one page, so that the byte-sized positions wrap by themselves. It is empty when they are equal.
ring_head:      .res 1          ; where the interrupt handler puts the next byte
ring_tail:      .res 1          ; where get_char takes the next byte
break_flag:     .res 1          ; bit 7: Control-C has arrived

; What `stat` reports, modulo 65536.
received:       .res 2          ; bytes read from the ACIA
ring_overflows: .res 2          ; bytes thrown away because the ring buffer was full
acia_overruns:  .res 2          ; times the ACIA said that it had lost a byte
nmi_count:      .res 2          ; non-maskable interrupts

; Working storage of the main program. Interrupts never touch it.
number:         .res 2          ; what the parser has read, or what is to be printed
first:          .res 2          ; an address, moving from the start of a range ...
last:           .res 2          ; ... to its last byte
next_row:       .res 2          ; where an `x` without an address goes on
text:           .res 2          ; the text that put_text is printing
decimal:        .res 3          ; six BCD digits, least significant first
cursor:         .res 1          ; position of the parser in the line
previous:       .res 1          ; the byte typed before, to know the LF of a CR LF
byte_count:     .res 1

; The registers as the last BRK found them; `g` starts a program with this A, X and Y.
saved_a:        .res 1
saved_x:        .res 1
saved_y:        .res 1
saved_s:        .res 1
saved_p:        .res 1
saved_pc:       .res 2

variables_end:

.bss
line:           .res 128        ; the line being typed, without its end; a zero byte follows
row:            .res 16

.segment "RING"
ring:           .res 256
