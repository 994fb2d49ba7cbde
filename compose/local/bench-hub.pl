#!/usr/bin/perl
# bench-hub.pl KIND PORT-FILE: the hub of ./dev bench-copy's telemetry rows, as small as one can be. It listens on a
# free port of loopback, and writes that to the file. KIND: answering (at once), slow (after ten seconds), resetting, or
# black-holed (who wants to connect hears nothing).
use strict;
use warnings;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);

my ($kind, $file) = @ARGV;
$SIG{CHLD} = $SIG{PIPE} = 'IGNORE';
my $room = $kind eq 'black-holed' ? 1 : 64;
my $door = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => $room, ReuseAddr => 1)
    or die "cannot listen: $!\n";
# Once as many wait as there is room for, the kernel drops who comes next, without a word.
my @waiting;
if ($kind eq 'black-holed') {
    push @waiting, IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $door->sockport, Blocking => 0)
        for 1 .. 4;
}
open my $out, '>', $file or die "cannot write $file: $!\n";
print $out $door->sockport, "\n";
close $out;

sleep 1 while $kind eq 'black-holed';
while (1) {
    my $client = $door->accept or next;
    my $child = fork;
    if (defined $child && $child == 0) {
        close $door;
        serve($client);
        exit 0;
    }
    close $client;
}

sub serve {
    my ($client) = @_;
    my $body = '{"status":"success","attempt":1,"stored_seq":0}';
    while (defined(my $length = take($client))) {
        read $client, my $request, $length if $length > 0;
        if ($kind eq 'resetting') {
            # Without lingering, the close is a reset.
            setsockopt $client, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
            return;
        }
        sleep 10 if $kind eq 'slow';
        print $client "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
            'Content-Length: ', length $body, "\r\n\r\n", $body;
        $client->flush;
    }
}

# Reads a request's head; the length of its body, or nothing at the connection's end.
sub take {
    my ($client) = @_;
    my $length = 0;
    while (defined(my $line = <$client>)) {
        return $length if $line =~ /^\r?\n$/;
        $length = $1 if $line =~ /^content-length:\s*(\d+)/i;
        print $client "HTTP/1.1 100 Continue\r\n\r\n" if $line =~ /^expect:/i;
    }
    return undef;
}
