/* A link in C that does what envdir does for an empty directory: what static C costs. */
#include <dirent.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	DIR *dir;
	if (argc < 3 || !(dir = opendir(argv[1])))
		return 111;
	while (readdir(dir))
		;
	closedir(dir);
	execve(argv[2], argv + 2, environ);
	return 111;
}
