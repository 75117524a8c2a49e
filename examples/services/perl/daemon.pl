# A stand-in for yours. Each line begins with its level, by which svctl log and sissylog know it, and patterns of svlog.
use strict;
use warnings;
use IO::Handle;
use IO::Socket::INET;
use Log::Any '$log', filter => sub {
	my ( undef, $level, $text ) = @_;
	return qw(emerg alert crit error warning notice info debug debug) [$level] . ": $text";
};
use Log::Any::Adapter 'Stderr', log_level => $ENV{LOG_LEVEL} // 'info';

my ( $greeting, $ended );
sub configure {
	open my $file, '<', 'env/GREETING' or die "env/GREETING: $!";
	$greeting = <$file>;
}
configure();
$SIG{HUP}  = sub { configure(); $log->notice('reloaded') };
$SIG{TERM} = sub { $ended = 1 };
$SIG{PIPE} = 'IGNORE';    # a client that has gone

my $server = IO::Socket::INET->new( LocalAddr => $ENV{LISTEN}, Listen => 64, ReuseAddr => 1 )
	or die "error: $ENV{LISTEN}: $@";
open my $ready, '>&=', 3 or die "error: file descriptor 3: $!";
print $ready "\n";    # as notification-fd says
close $ready;
$log->notice('ready for connections');

until ($ended) {
	my $client = $server->accept or next;    # a signal has come
	$log->infof( 'a connection from %s', $client->peerhost );
	print $client $greeting;
}
$log->notice('ended');
