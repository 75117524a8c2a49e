# Completion of svlog for fish: options and log directories.

complete -c svlog -f
complete -c svlog -a '(__fish_complete_directories)'
complete -c svlog -s t -d 'Begin each line with a time stamp; -tt and -ttt readable ones'
complete -c svlog -s r -x -d 'Write this in place of what is no printable ASCII'
complete -c svlog -s R -x -d 'And in place of these characters'
complete -c svlog -s l -x -d 'Patterns see so many bytes'
complete -c svlog -s b -x -d 'Read so many bytes at a time'
complete -c svlog -s v -d 'Tell what is done'
complete -c svlog -l help -d 'Print the usage'
complete -c svlog -l version -d 'Print the version'
