@HEAD@

function __@FUNCTION@_operands
    # The operands in front of the cursor: options end at the first.
    set -l words (commandline -opc)[2..-1]
    while string match -qr -- '^-.' $words[1]
        test $words[1] = --; and set words $words[2..-1]; and break
@VALUE@        set words $words[2..-1]
    end
    string escape -- $words
end

@COMMAND@complete -c @NAME@ -f
@COMPLETIONS@